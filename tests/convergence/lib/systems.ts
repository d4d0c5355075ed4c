import type { Sql } from "postgres";
import type { RecordActionInput } from "../../../packages/mock-crm/src/index.ts";
import type { EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { type CrmName, comparable, type EditedField, ENTITIES, type SystemName } from "./fields.ts";

/** A live record as one system shows it. The marker is its name, the same in every system. */
export interface Row {
  id: string;
  marker: string;
  /** Comparable values by our field name. */
  values: Readonly<Record<string, string | null>>;
  /** The marker of a contact's company, where that is live too. */
  company: string | null;
}

/** One of the places where people edit. */
export interface System {
  name: SystemName;
  list(entity: EntityType): Promise<Row[]>;
  create(entity: EntityType, made: NewRecord): Promise<void>;
  edit(entity: EntityType, id: string, field: EditedField, value: string): Promise<void>;
  remove(entity: EntityType, id: string): Promise<void>;
}

export interface NewRecord {
  marker: string;
  field: EditedField;
  value: string;
  /** Of a contact: the id that its company has in this system. */
  companyId: string | null;
}

export const MARKER = { accounts: "name", contacts: "last_name", opportunities: "name" } as const;

/** Our side, edited as an app does: by somebody who is no connection. */
export function appSystem(sql: Sql, workspace: string): System {
  const table = (entity: EntityType) => sql(`public.${ENTITIES[entity].table}`);
  const typed = (field: EditedField, value: string) => (field.kind === "number" ? Number(value) : value);
  return {
    name: "app",
    async list(entity) {
      const rows = await sql`
        select t.*, p.name as company_name
          from ${table(entity)} t
          left join public.crm_companies p on p.id = ${entity === "contacts" ? sql`t.company_id` : sql`null`} and p.deleted_at is null
         where t.workspace_id = ${workspace} and t.deleted_at is null order by t.created_at, t.id`;
      return rows.map((row) => {
        const company = (row.company_name ?? null) as string | null;
        return toRow(entity, "app", { id: String(row.id), marker: String(row[MARKER[entity]]), company }, row);
      });
    },
    async create(entity, { marker, field, value, companyId }) {
      const known = { workspace_id: workspace, [field.app]: typed(field, value), ...newAppRecord(entity, marker) };
      await sql`insert into ${table(entity)} ${sql({ ...known, ...(companyId === null ? {} : { company_id: companyId }) })}`;
    },
    async edit(entity, id, field, value) {
      await sql`update ${table(entity)} set ${sql({ [field.app]: typed(field, value) })} where id = ${id}`;
    },
    async remove(entity, id) {
      await sql`update ${table(entity)} set deleted_at = now() where id = ${id}`;
    },
  };
}

function newAppRecord(entity: EntityType, marker: string): Record<string, unknown> {
  if (entity === "accounts") return { name: marker, domain: `${marker}.example` };
  if (entity === "contacts") return { last_name: marker, email: `${marker}@people.example` };
  return { name: marker, stage_key: "prospect", expected_close_date: "2027-01-31", client_name: marker };
}

/** The control of a mock, in this process or another one. */
export interface Levers {
  list(type: string, from: number, count: number): unknown[] | Promise<unknown[]>;
  records(actions: RecordActionInput[]): unknown;
  counters(): { rows_written: number } | Promise<{ rows_written: number }>;
}

/** A CRM, edited by its own users. */
export interface CrmSystem extends System {
  name: CrmName;
  rowsWritten(): Promise<number>;
  /** What was deleted and can come back. */
  bin(entity: EntityType): Promise<Pick<Row, "id" | "marker">[]>;
  undelete(entity: EntityType, id: string): Promise<void>;
  merge(entity: EntityType, winner: string, loser: string): Promise<void>;
}

const NAMES: Record<CrmName, Record<EntityType, string>> = {
  salesforce: { accounts: "Name", contacts: "LastName", opportunities: "Name" },
  hubspot: { accounts: "name", contacts: "lastname", opportunities: "dealname" },
};

/** Where a contact shows its company. */
const COMPANY: Record<CrmName, string> = { salesforce: "AccountId", hubspot: "associatedcompanyid" };

const NEW: Record<CrmName, Record<EntityType, (marker: string) => Record<string, unknown>>> = {
  salesforce: {
    accounts: (marker) => ({ Name: marker, Website: `https://${marker}.example` }),
    contacts: (marker) => ({ LastName: marker, Email: `${marker}@people.example` }),
    opportunities: (marker) => ({ Name: marker, StageName: "Prospecting", CloseDate: "2027-01-31" }),
  },
  hubspot: {
    accounts: (marker) => ({ name: marker, domain: `${marker}.example` }),
    contacts: (marker) => ({ lastname: marker, email: `${marker}@people.example` }),
    opportunities: (marker) => ({
      dealname: marker,
      dealstage: "appointmentscheduled",
      pipeline: "default",
      closedate: "2027-01-31T00:00:00.000Z",
    }),
  },
};

export function crmSystem(name: CrmName, levers: Levers): CrmSystem {
  const type = (entity: EntityType) => ENTITIES[entity][name];
  const act = async (action: RecordActionInput) => {
    await levers.records([action]);
  };
  const all = async (entity: EntityType) => (await levers.list(type(entity), 0, 10_000)) as Record<string, unknown>[];
  const live = async (entity: EntityType) =>
    (await all(entity))
      .filter((record) => record.IsDeleted !== true)
      .map((record) => {
        const values = (name === "hubspot" ? record.properties : record) as Record<string, unknown>;
        const id = String(name === "hubspot" ? record.id : record.Id);
        return { id, marker: String(values[NAMES[name][entity]]), values };
      });
  return {
    name,
    rowsWritten: async () => (await levers.counters()).rows_written,
    async bin(entity) {
      const gone = (await all(entity)).filter((record) => record.IsDeleted === true && !record.MasterRecordId);
      return gone.map((record) => ({ id: String(record.Id), marker: String(record[NAMES[name][entity]]) }));
    },
    async list(entity) {
      const rows = await live(entity);
      const companies = entity === "contacts" ? await live("accounts") : [];
      const names = new Map(companies.map(({ id, marker }) => [id, marker]));
      return rows.map(({ id, marker, values }) => {
        const company = names.get(String(values[COMPANY[name]])) ?? null;
        return toRow(entity, name, { id, marker, company }, values);
      });
    },
    async create(entity, { marker, field, value, companyId }) {
      const fields = { ...NEW[name][entity](marker), [field[name]]: typed(name, field, value) };
      const inOneGo = companyId !== null && name === "salesforce" ? { [COMPANY.salesforce]: companyId } : {};
      await act({ action: "create", type: type(entity), fields: { ...fields, ...inOneGo } });
      if (companyId === null || name === "salesforce") return;
      const made = (await live(entity)).find((row) => row.marker === marker);
      if (made === undefined) throw new Error(`${marker} was not created.`);
      const company = { type: type("accounts"), id: companyId };
      await act({ action: "associate", from: { type: type(entity), id: made.id }, to: company });
    },
    edit: (entity, id, field, value) =>
      act({ action: "edit", type: type(entity), id, fields: { [field[name]]: typed(name, field, value) } }),
    remove: (entity, id) => act({ action: "delete", type: type(entity), id }),
    undelete: (entity, id) => act({ action: "undelete", type: type(entity), id }),
    merge: (entity, winner, loser) => act({ action: "merge", type: type(entity), winner, losers: [loser] }),
  };
}

function typed(name: CrmName, field: EditedField, value: string): string | number {
  return name === "salesforce" && field.kind === "number" ? Number(value) : value;
}

function toRow(
  entity: EntityType,
  name: SystemName,
  known: Pick<Row, "id" | "marker" | "company">,
  values: Readonly<Record<string, unknown>>,
): Row {
  const fields = ENTITIES[entity].fields.map(
    (field) => [field.app, comparable(field.kind, values[field[name]])] as const,
  );
  return { ...known, values: Object.fromEntries(fields) };
}
