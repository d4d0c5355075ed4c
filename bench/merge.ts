import { parseArgs } from "node:util";
import postgres from "postgres";
import { connectCrm } from "../scripts/lib/oauth-browser.ts";
import { createAndSignIn } from "../scripts/lib/people.ts";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, withBed } from "./lib/bed.ts";
import { report, rounded } from "./lib/report.ts";

/**
 * Records per second through private.crm_merge_page, without a CRM or a worker: contacts met for the first time, as they
 * were, changed in one field, and changed on both sides. One JSON line per case; the last one compares the changed ones with
 * the same edit made by a plain UPDATE, with the tables' own triggers, log and indexes.
 */

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "20000" },
    page: { type: "string", default: "2000" },
    "port-base": { type: "string", default: "15200" },
  },
});
const RECORDS = Number(options.records);
const PAGE = Number(options.page);

interface Case {
  name: string;
  /** Records per second. */
  target: number;
  title: (index: number) => string;
  before?: (sql: postgres.Sql, config: string) => Promise<unknown>;
}

const editOurs = (sql: postgres.Sql, config: string) =>
  sql`update public.crm_contacts set title = 'Edited here' where workspace_id = (select workspace_id from public.crm_sync_configs where id = ${config})`;
const strategy = (sql: postgres.Sql, config: string, name: string) =>
  sql`update public.crm_sync_configs set conflict_resolution = ${name} where id = ${config}`;

const CASES: readonly Case[] = [
  { name: "inserted", target: 5_000, title: () => "Engineer" },
  { name: "unchanged", target: 40_000, title: () => "Engineer" },
  { name: "changed", target: 10_000, title: () => "Manager" },
  {
    name: "conflicting-decided",
    target: 1_000,
    title: () => "Director",
    before: async (sql, config) => {
      await strategy(sql, config, "crm_wins");
      await editOurs(sql, config);
    },
  },
  {
    name: "conflicting-for-review",
    target: 1_000,
    title: () => "President",
    before: async (sql, config) => {
      await strategy(sql, config, "manual_review");
      await editOurs(sql, config);
    },
  },
];

async function newRun(sql: postgres.Sql, config: string): Promise<{ operation: string; fence: string }> {
  await sql`update public.crm_sync_operations set status = 'completed' where config_id = ${config}`;
  const [operation] = await sql<{ id: string }[]>`
    insert into public.crm_sync_operations (workspace_id, config_id, direction, entities)
    select workspace_id, id, 'from_crm', '{contacts}' from public.crm_sync_configs where id = ${config} returning id`;
  if (operation === undefined) throw new Error("No run was made.");
  await sql`insert into private.crm_operation_state (operation_id) values (${operation.id})`;
  const [claim] = await sql<
    { fence: string }[]
  >`select fence::text from private.crm_claim(${operation.id}, 'bench', 3600)`;
  if (claim === undefined) throw new Error("The run could not be claimed.");
  return { operation: operation.id, fence: claim.fence };
}

function pageOf(from: number, title: Case["title"], modified: string): string {
  const records = Array.from({ length: Math.min(PAGE, RECORDS - from) }, (_, offset) => {
    const index = from + offset;
    return {
      crm_id: `003BENCH${String(index).padStart(10, "0")}`,
      modified_at: modified,
      deleted: false,
      values: {
        first_name: `First${index}`,
        last_name: `Last${index}`,
        email: `person${index}@bench${index % 997}.example`,
        phone: `+4930${1_000_000 + index}`,
        title: title(index),
        department: "Sales",
        lead_source: "Web",
        description: `Contact number ${index} of the bench`,
      },
      company: null,
      owner: null,
    };
  });
  return JSON.stringify(records);
}

async function measure(sql: postgres.Sql, config: string, one: Case, at: number): Promise<number> {
  await one.before?.(sql, config);
  const run = await newRun(sql, config);
  const modified = new Date(Date.UTC(2026, 0, 1 + at)).toISOString();
  let seconds = 0;
  for (let from = 0; from < RECORDS; from += PAGE) {
    const page = pageOf(from, one.title, modified);
    const checkpoint = JSON.stringify({
      entity: "contacts",
      cursor: { from },
      entity_done: false,
      slice: 1,
      partial: false,
    });
    const started = performance.now();
    await sql.unsafe(
      "select private.crm_merge_page($1::uuid, $2::text::bigint, 'contacts', $3::text::jsonb, '[]', $4::text::jsonb, null)",
      [run.operation, run.fence, page, checkpoint],
    );
    seconds += (performance.now() - started) / 1000;
  }
  const rate = Math.round(RECORDS / seconds);
  report({
    bench: "merge",
    case: one.name,
    n: RECORDS,
    seconds: rounded(seconds, 3),
    value: rate,
    unit: "records/s",
    ms_per_record: rounded((seconds / RECORDS) * 1000, 3),
    target: one.target,
    ok: rate >= one.target,
  });
  return seconds;
}

/** The least that changing one field of each contact costs: in pages of the same size, without any merge. */
async function plainUpdate(sql: postgres.Sql, config: string): Promise<number> {
  const ids = await sql<{ id: string }[]>`
    select record_id as id from private.crm_record_links where config_id = ${config} and entity_type = 'contacts'`;
  let seconds = 0;
  for (let from = 0; from < ids.length; from += PAGE) {
    const page = ids.slice(from, from + PAGE).map((row) => row.id);
    const started = performance.now();
    await sql`update public.crm_contacts set title = 'Edited plainly' where id = any (${page})`;
    seconds += (performance.now() - started) / 1000;
  }
  return seconds;
}

function reportAgainstPlain(changed: number, plain: number): void {
  const ratio = changed / plain;
  report({
    bench: "merge",
    case: "changed-to-plain-update",
    n: RECORDS,
    seconds: rounded(changed, 3),
    floor_seconds: rounded(plain, 3),
    ratio: rounded(ratio),
    target: 4,
    ok: ratio <= 4,
  });
}

async function run(bed: Bed): Promise<void> {
  const client = await createAndSignIn(bed.stack, {
    role: "owner",
    email: "bench@merge.example",
    password: "bench-password",
    name: "Bench",
  });
  const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    const [own] = await sql<{ id: string }[]>`
      select workspace_id as id from public.workspace_members where email = 'bench@merge.example'`;
    const config = await connectCrm(client, {
      provider: "salesforce",
      workspaceId: own?.id ?? "",
      returnUrl: bed.returnUrl,
    });
    // No run of the schedule's comes between the measured ones.
    await sql`update public.crm_sync_configs set sync_frequency = 'manual' where id = ${config}`;
    const seconds = new Map<string, number>();
    for (const [at, one] of CASES.entries()) seconds.set(one.name, await measure(sql, config, one, at));
    reportAgainstPlain(seconds.get("changed") ?? Number.NaN, await plainUpdate(sql, config));
  } finally {
    await sql.end();
  }
}

const portBase = await findPortBase(Number(options["port-base"]));
await withBed({ provider: "salesforce", records: 1, portBase }, run);
