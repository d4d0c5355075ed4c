import { parseArgs } from "node:util";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, withBed } from "./lib/bed.ts";
import { percentile, report, rounded } from "./lib/report.ts";
import { type BenchWorkspace, connectedWorkspace, control, timedSync } from "./lib/workspace.ts";

/**
 * A sync with 100 changed contacts, and one without any change, among few and among many linked contacts of one connection.
 * The CRM holds the changing ones only: what its own queries cost is not ours. Medians over several syncs, one run.
 */

const TARGET = 1.3;

const { values: options } = parseArgs({
  options: {
    few: { type: "string", default: "10000" },
    many: { type: "string", default: "1000000" },
    changes: { type: "string", default: "100" },
    rounds: { type: "string", default: "7" },
  },
});
const CHANGES = Number(options.changes);
const ROUNDS = Number(options.rounds);

const TABLES = ["public.crm_contacts", "private.crm_record_links"] as const;

/** Runs `load` while the tables have only the indexes of their constraints; the others are built anew afterwards, in one go each. */
async function withoutIndexes(tx: TransactionSql, load: () => Promise<unknown>): Promise<void> {
  const indexes = await tx<{ name: string; definition: string }[]>`
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
      from pg_index i
     where i.indrelid = any (${TABLES as unknown as string[]}::regclass[])
       and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`;
  for (const { name } of indexes) await tx.unsafe(`drop index ${name}`);
  await load();
  for (const { definition } of indexes) await tx.unsafe(definition);
}

/**
 * Linked contacts that the CRM will not speak of; written by the superuser past triggers and subscribers, which a million
 * would keep busy for long.
 */
async function fill(admin: Sql, { workspaceId, configId }: BenchWorkspace, upTo: number): Promise<void> {
  await admin.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`set local maintenance_work_mem = '512MB'`;
    await tx`alter publication supabase_realtime drop table public.crm_contacts`;
    await withoutIndexes(tx, async () => {
      await tx`
        insert into public.crm_contacts (workspace_id, first_name, last_name, email, title)
        select ${workspaceId}, 'First' || n, 'Last' || n, 'filler' || n || '@bench.example', 'Engineer'
          from generate_series((select count(*) + 1 from public.crm_contacts where workspace_id = ${workspaceId}), ${upTo}::bigint) n`;
      await tx`
        insert into private.crm_record_links (config_id, entity_type, crm_record_id, record_id, workspace_id, base, merged_at)
        select ${configId}, 'contacts', 'X' || c.id, c.id, c.workspace_id, jsonb_build_object('first_name', c.first_name,
          'last_name', c.last_name, 'email', c.email, 'title', c.title), c.updated_at
          from public.crm_contacts c
         where c.workspace_id = ${workspaceId} and c.created_at = now()`;
    });
    await tx`alter publication supabase_realtime add table public.crm_contacts`;
  });
  for (const table of TABLES) await admin.unsafe(`vacuum (analyze) ${table}`);
}

interface Medians {
  changed: number;
  unchanged: number;
}

async function measure(bed: Bed, sql: Sql, workspace: BenchWorkspace): Promise<Medians> {
  const changed: number[] = [];
  const unchanged: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const fields = { Title: `Title ${Date.now()} {n}` };
    await control(bed, "records", { actions: [{ action: "touch", type: "Contact", from: 0, count: CHANGES, fields }] });
    changed.push(await timedSync(workspace, sql, { entities: ["contacts"] }));
    unchanged.push(await timedSync(workspace, sql, { entities: ["contacts"] }));
  }
  return { changed: percentile(changed, 0.5), unchanged: percentile(unchanged, 0.5) };
}

async function run(bed: Bed): Promise<void> {
  const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
  const admin = postgres(bed.stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    const workspace = await connectedWorkspace(bed, sql);
    await timedSync(workspace, sql);
    const sizes = [Number(options.few), Number(options.many)] as const;
    await fill(admin, workspace, sizes[0]);
    const few = await measure(bed, sql, workspace);
    await fill(admin, workspace, sizes[1]);
    const many = await measure(bed, sql, workspace);
    for (const [name, key] of [
      [`${CHANGES}-changes`, "changed"],
      ["no-change", "unchanged"],
    ] as const) {
      const ratio = rounded(many[key] / few[key]);
      report({
        bench: "incremental",
        case: name,
        n: sizes[1],
        few: sizes[0],
        seconds: rounded(many[key], 3),
        floor_seconds: rounded(few[key], 3),
        ratio,
        target: TARGET,
        ok: ratio <= TARGET,
      });
    }
  } finally {
    await Promise.all([sql.end(), admin.end()]);
  }
}

await withBed({ provider: "salesforce", records: CHANGES, portBase: await findPortBase(15_300) }, run);
