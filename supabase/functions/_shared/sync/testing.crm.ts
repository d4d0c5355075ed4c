import {
  AMBIGUOUS,
  type CrmField,
  type CrmProvider,
  type CrmRecord,
  type EntityType,
  type PageCursor,
  type ReadPage,
  type ReadRequest,
  type RecordWrite,
  type RelationName,
  type WriteResult,
} from "../crm/contract.ts";
import { failure } from "../crm/errors.ts";

export interface FakeCrm {
  records: Record<EntityType, CrmRecord[]>;
  /** Every page that was asked for: entity and first index. */
  reads: string[];
  /** Thrown before a page is handed out, once each, by that name. */
  troubles: Map<string, unknown[]>;
  refreshes: number;
  pageSize: number;
  /** As `describe` tells them. */
  fields: CrmField[];
  /** Every call by id and every write: what and how many. */
  calls: string[];
  /** Calls that are done, but whose answer is lost, once each, by their name without the number. */
  losses: Set<string>;
  /** Creates whose row says that something went wrong, though the record was made, once each, by name. */
  unsure: Set<string>;
  /** Relations that nobody may set. */
  fixed: RelationName[];
  lookUpLagMs: number;
  atOnce: CrmProvider["atOnce"];
  onCall: (name: string) => void | Promise<void>;
  onRead: (name: string, request: ReadRequest) => void | Promise<void>;
}

export function crmWith(counts: Partial<Record<EntityType, number>>, pageSize = 2): FakeCrm {
  const make = (entity: EntityType) =>
    Array.from(
      { length: counts[entity] ?? 0 },
      (_, index): CrmRecord => ({
        id: `${entity}-${index}`,
        modifiedAt: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(),
        deleted: false,
        fields: { Name: `${entity} ${index}` },
      }),
    );
  return {
    records: { accounts: make("accounts"), contacts: make("contacts"), opportunities: make("opportunities") },
    reads: [],
    troubles: new Map(),
    refreshes: 0,
    pageSize,
    fields: [fieldOf("Name", { required: true, maxLength: 80 })],
    calls: [],
    losses: new Set(),
    unsure: new Set(),
    fixed: [],
    lookUpLagMs: 0,
    atOnce: { batches: 2, writes: 1 },
    onCall: () => {},
    onRead: () => {},
  };
}

export function providerOf(crm: FakeCrm): CrmProvider {
  const unused = () => Promise.reject(new Error("not part of a sync"));
  return {
    id: "salesforce",
    authorizeUrl: () => "",
    exchangeCode: unused,
    revoke: unused,
    identify: unused,
    describe: async () => crm.fields,
    stages: unused,
    refresh: async () => {
      crm.refreshes += 1;
      return {
        accessToken: `token-${crm.refreshes}`,
        refreshToken: null,
        expiresAt: null,
        scopes: [],
        instanceUrl: "",
      };
    },
    owners: async () => [{ id: "u1", email: "a@b.c", name: "A", active: true }],
    count: async (_session, entity) => crm.records[entity].length,
    readPage: (_session, request) => fakePage(crm, request),
    batch: { fetch: 3, write: 2 },
    atOnce: crm.atOnce,
    lookUpLagMs: crm.lookUpLagMs,
    fetchRecords: (_session, { entity, ids }) =>
      called(crm, `fetch ${entity}`, ids, () =>
        structuredClone(crm.records[entity].filter(({ id }) => ids.includes(id))),
      ),
    createRecords: (_session, { entity, writes }) =>
      called(crm, `create ${entity}`, writes, () => writes.map((write) => created(crm, entity, write))),
    updateRecords: (_session, { entity, writes }) =>
      called(crm, `update ${entity}`, writes, () => writes.map((write) => updated(crm, entity, write))),
    deleteRecords: (_session, { entity, ids }) =>
      called(crm, `delete ${entity}`, ids, () => ids.map((id) => removed(crm, entity, id))),
    lookUp: (_session, { entity, candidates }) =>
      called(crm, `look up ${entity}`, candidates, () => {
        const fits = (name?: string) => crm.records[entity].filter(({ fields }) => fields.Name === name);
        return new Map(
          candidates.flatMap(({ key, name }) => {
            const [first, ...more] = fits(name);
            return first === undefined ? [] : [[key, more.length === 0 ? first.id : AMBIGUOUS] as const];
          }),
        );
      }),
  };
}

async function called<T>(crm: FakeCrm, name: string, what: readonly unknown[], run: () => T): Promise<T> {
  crm.calls.push(`${name} ${what.length}`);
  const trouble = crm.troubles.get(name)?.shift();
  if (trouble !== undefined) throw trouble;
  await crm.onCall(name);
  const answer = run();
  await crm.onCall(`${name} done`);
  if (crm.losses.delete(name)) throw failure("transient", "network_error", "The CRM's answer got lost.");
  return answer;
}

function created(crm: FakeCrm, entity: EntityType, write: RecordWrite): WriteResult {
  const { key, fields } = write;
  const id = `${entity}-new-${crm.records[entity].length}`;
  crm.records[entity].push({ id, modifiedAt: "2026-11-21T12:00:00.000Z", deleted: false, fields: { ...fields } });
  if (crm.unsure.delete(String(fields.Name))) {
    const { detail } = failure("transient", "UNKNOWN_EXCEPTION", "The CRM says that something went wrong.");
    return { key, outcome: "failed", id: null, error: detail };
  }
  return { key, outcome: "written", id, ...leftOf(crm, write) };
}

function updated(crm: FakeCrm, entity: EntityType, write: RecordWrite & { id: string }): WriteResult {
  const { key, id, fields } = write;
  const record = crm.records[entity].find((one) => one.id === id && !one.deleted);
  if (record === undefined) return { key, outcome: "gone", id };
  Object.assign(record.fields, fields);
  return { key, outcome: "written", id, ...leftOf(crm, write) };
}

function leftOf({ fixed }: FakeCrm, write: RecordWrite): Pick<WriteResult, "left"> {
  const left = fixed.filter((name) => write[name] !== undefined);
  return left.length === 0 ? {} : { left };
}

function removed(crm: FakeCrm, entity: EntityType, id: string): WriteResult {
  const record = crm.records[entity].find((one) => one.id === id);
  if (record !== undefined) record.deleted = true;
  return { key: id, outcome: record === undefined ? "gone" : "written", id };
}

export function fieldOf(name: string, more: Partial<CrmField> = {}): CrmField {
  const plain = {
    label: name,
    type: "string",
    crmType: "string",
    required: false,
    readOnly: false,
    custom: false,
  } as const;
  return { name, ...plain, ...more };
}

async function fakePage(crm: FakeCrm, request: ReadRequest): Promise<ReadPage> {
  const from = Number(request.cursor?.from ?? 0);
  const name = `${request.entity}@${from}`;
  crm.reads.push(name);
  await crm.onRead(name, request);
  const trouble = crm.troubles.get(name)?.shift();
  if (trouble !== undefined) throw trouble;
  const all = crm.records[request.entity].filter(
    (record) => request.since === null || record.modifiedAt >= request.since.modifiedAt,
  );
  const records = all.slice(from, from + crm.pageSize);
  const end = from + records.length;
  const last = all[end - 1];
  return {
    records,
    next: end < all.length ? ({ from: end } satisfies PageCursor) : null,
    total: all.length,
    highWater: last === undefined ? request.since : { modifiedAt: last.modifiedAt, id: last.id },
    missingFields: [],
  };
}
