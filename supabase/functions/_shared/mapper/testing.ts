import { ADMIN, CONFIG, MEMBER, WORKSPACE } from "../connect/testing.ts";
import type { CrmFailure, CrmField, CrmFilter, CrmProvider, CrmRecord, CrmSession } from "../crm/contract.ts";
import { fieldRowOf } from "../db/sql/fields.ts";
import { answering, roleCheck } from "../db/testing.ts";
import { callers } from "../http/testing.ts";
import { crmWith, fieldOf, providerOf } from "../sync/testing.crm.ts";
import { mapperRoutes } from "./routes.ts";

/** Stand-ins for the tests of this folder: a connection with a saved mapping, and a CRM with a few accounts. */

export const VIEWER = { id: "77777777-7777-4777-8777-777777777777", email: "viewer@demo.example" };
export const NO_CONFIG = "88888888-8888-4888-8888-888888888888";
const ROLES = { [ADMIN.id]: "admin", [MEMBER.id]: "member", [VIEWER.id]: "viewer" };

export const FIELDS = [
  fieldOf("Name", { required: true, maxLength: 80 }),
  fieldOf("Website", { type: "url" }),
  fieldOf("NumberOfEmployees", { label: "Employees", type: "number" }),
];

interface Mapping {
  entity_type: string;
  crm_field: string;
  app_field: string;
  data_type: string;
  sync_direction: string;
  is_required: boolean;
  confidence?: number;
}

export const mapping = (crm_field: string, app_field: string): Mapping => ({
  entity_type: "accounts",
  crm_field,
  app_field,
  data_type: "string",
  sync_direction: "bidirectional",
  is_required: false,
});

interface OurRecord {
  crm_id: string | null;
  record_id: string;
  name: string;
  fields: Record<string, unknown>;
}

export class MapperWorld {
  /** What the CRM described last; null: never asked. */
  kept: CrmField[] | null = FIELDS;
  mappings: Mapping[] = [mapping("Name", "name")];
  rules: Record<string, unknown> = {};
  ours: OurRecord[] = [];
  /** App fields that somebody maps between the look and the insert. */
  takenMeanwhile: string[] = [];
  /** What was written, by name, and the caller it is put down to. */
  writes: string[] = [];
  headers: Record<string, string | null> = {};
  /** Calls to the CRM, and what makes each of them fail. */
  calls: string[] = [];
  filters: (CrmFilter | undefined)[] = [];
  trouble: CrmFailure | null = null;
  crm = crmWith({ accounts: 3 }, 1);

  get db() {
    return answering({
      ...roleCheck(WORKSPACE, ROLES),
      "private.crm_claim_settings": () => [
        {
          mappings: this.mappings,
          stages: [],
          settings: { sync_rules: this.rules, conflict_resolution: "crm_wins", sync_direction: "bidirectional" },
        },
      ],
      "insert into public.crm_field_mappings": ([, rows]) => {
        const added = (JSON.parse(String(rows)) as Mapping[]).filter(
          ({ app_field }) => !this.takenMeanwhile.includes(app_field),
        );
        this.mappings.push(...added);
        this.writes.push("mappings");
        return added.map(({ app_field }) => ({ app_field }));
      },
      "set_config('request.headers'": ([headers]) => {
        this.headers = JSON.parse(String(headers)) as Record<string, string | null>;
        return [];
      },
      "private.crm_keep_fields": ([, , rows]) => {
        const names = (JSON.parse(String(rows)) as { name: string }[]).map(({ name }) => name);
        this.kept = this.crm.fields.filter(({ name }) => names.includes(name));
        this.writes.push("fields");
        return [];
      },
      "public.crm_available_fields": () =>
        (this.kept ?? []).map((field) => ({ ...fieldRowOf(field), refreshed_at: new Date("2026-11-21T12:00:00Z") })),
      "private.crm_preview_ours": ([, , theirs, ours]) => {
        const [byCrm, byOurs] = [theirs, ours].map((ids) => JSON.parse(String(ids)) as string[]);
        return this.ours.filter(
          ({ crm_id, record_id }) => (crm_id !== null && byCrm?.includes(crm_id)) || byOurs?.includes(record_id),
        );
      },
      "public.crm_sync_configs": ([id]) =>
        id !== CONFIG
          ? []
          : [
              {
                id,
                workspace_id: WORKSPACE,
                crm_provider: "salesforce",
                environment: "production",
                status: "connected",
              },
            ],
    });
  }

  get provider(): CrmProvider {
    const crm = providerOf(this.crm);
    const called = (name: string) => {
      this.calls.push(name);
      if (this.trouble !== null) throw this.trouble;
    };
    return {
      ...crm,
      describe: async (session, entity) => {
        called("describe");
        return crm.describe(session, entity);
      },
      readPage: async (session, request) => {
        called("read");
        this.filters.push(request.filter);
        return crm.readPage(session, request);
      },
      fetchRecords: async (session, request) => {
        called("fetch");
        return crm.fetchRecords(session, request);
      },
    };
  }
}

export function account(id: string, fields: Record<string, unknown>): CrmRecord {
  return { id, modifiedAt: "2026-01-01T00:00:00.000Z", deleted: false, fields };
}

/** The function as its callers see it; it begins signed in as a member. */
export function setUp() {
  const world = new MapperWorld();
  world.crm.fields = [...FIELDS];
  const session: CrmSession = {
    accessToken: "access-1",
    instanceUrl: "https://acme.example",
    externalAccountId: "00D",
  };
  const routes = mapperRoutes({ db: world.db, withSession: (_, call) => call(session, world.provider) });
  const { post, ...rest } = callers("crm-mapping", routes, MEMBER);
  return {
    ...rest,
    world,
    /** About the accounts of the connection. */
    ask: (route: string, more: object = {}) =>
      post(`/${route}`, { config_id: CONFIG, entity_type: "accounts", ...more }),
    post,
  };
}
