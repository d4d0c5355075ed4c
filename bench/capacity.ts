import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startStack } from "@pipeline-crm/local-stack";
import postgres, { type Sql } from "postgres";
import { createAndSignIn } from "../scripts/lib/people.ts";
import { findPortBase } from "../scripts/lib/ports.ts";
import { PROJECT_ROOT } from "../scripts/lib/workbench.ts";
import { BY_THE_DAY, FIRST_WEEK, fillWorkspace } from "./lib/capacity-data.ts";
import { percentile, report, rounded } from "./lib/report.ts";

/**
 * Seconds of the capacity RPCs for one large workspace, asked as its owner, beside the same answer added up day by day in
 * the same run: it must have the same numbers, and the ratio of both stays what it is on a slow or busy machine.
 */

const { values: options } = parseArgs({
  options: {
    people: { type: "string", default: "2000" },
    demands: { type: "string", default: "5000" },
    weeks: { type: "string", default: "104" },
    rounds: { type: "string", default: "5" },
    "port-base": { type: "string", default: "15700" },
  },
});
const SIZE = { people: Number(options.people), demands: Number(options.demands), weeks: Number(options.weeks) };
const ROUNDS = Number(options.rounds);
const TARGET_SECONDS = 1;
/** The RPC rounds to four digits. */
const SAME = 0.001;

interface Case {
  name: string;
  call: string;
  /** None: for comparison only. */
  target?: number;
}

const CASES: readonly Case[] = [
  { name: "capacity-by-skill", call: "public.capacity_weeks($1, $2, $3, 'skill')", target: TARGET_SECONDS },
  { name: "capacity-by-team", call: "public.capacity_weeks($1, $2, $3, 'team')", target: TARGET_SECONDS },
  { name: "capacity-by-skill-with-reach", call: "public.capacity_weeks($1, $2, $3, 'skill', 'weighted', true)" },
  { name: "demand-by-skill", call: "public.demand_weeks($1, $2, $3, 'skill')", target: TARGET_SECONDS },
  { name: "over-allocations", call: "public.over_allocations($1, $2, $3)" },
  { name: "hiring-need", call: "public.hiring_need($1, $2, $3)" },
];

/** Seconds of a call as the owner, without what it takes to send its rows. */
async function secondsOf(sql: Sql, userId: string, call: string, workspaceId: string): Promise<number> {
  return sql.begin(async (as) => {
    await as`select set_config('request.jwt.claims', ${JSON.stringify({ sub: userId, role: "authenticated" })}, true),
      set_config('role', 'authenticated', true)`;
    const started = performance.now();
    await as.unsafe(`select count(*) from ${call}`, [workspaceId, FIRST_WEEK, SIZE.weeks]);
    return (performance.now() - started) / 1000;
  });
}

async function daily(sql: Sql, workspaceId: string): Promise<number> {
  const started = performance.now();
  await sql.unsafe(`select count(*) from (${BY_THE_DAY}) d`, [workspaceId, FIRST_WEEK, SIZE.weeks]);
  return (performance.now() - started) / 1000;
}

/** The largest difference in any number of any week. */
async function difference(sql: Sql, userId: string, workspaceId: string): Promise<{ rows: number; most: number }> {
  return sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${JSON.stringify({ sub: userId, role: "authenticated" })}, true)`;
    const [found] = await tx.unsafe<{ rows: number; most: number }[]>(
      `select count(*)::int as rows, max(greatest(abs(coalesce(c.capacity, 0) - coalesce(d.capacity, 0)), abs(coalesce(c.allocated, 0) - coalesce(d.allocated, 0)),
         abs(coalesce(c.over, 0) - coalesce(d.over, 0)), abs(coalesce(c.weighted_demand, 0) - coalesce(d.weighted_demand, 0))))::float8 as most
       from (select concat_ws('/', key, level, week) as place, * from public.capacity_weeks($1, $2, $3, 'skill')) c
       full join (select concat_ws('/', key, level, week) as place, * from (${BY_THE_DAY}) x) d using (place)`,
      [workspaceId, FIRST_WEEK, SIZE.weeks],
    );
    return found ?? { rows: 0, most: Number.POSITIVE_INFINITY };
  });
}

async function measure(sql: Sql, userId: string, workspaceId: string): Promise<void> {
  const { rows, most } = await difference(sql, userId, workspaceId);
  report({
    bench: "capacity",
    case: "same-numbers",
    n: rows,
    value: most,
    unit: "hours",
    target: SAME,
    ok: rows > 0 && most < SAME,
  });
  const plain = await daily(sql, workspaceId);
  report({ bench: "capacity", case: "day-by-day", seconds: rounded(plain, 3), ok: true });
  for (const { name, call, target } of CASES) {
    const seconds: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) seconds.push(await secondsOf(sql, userId, call, workspaceId));
    const median = percentile(seconds, 0.5);
    report({
      bench: "capacity",
      case: name,
      ...SIZE,
      value: rounded(median, 3),
      unit: "seconds",
      slowest: rounded(Math.max(...seconds), 3),
      times_faster_than_day_by_day: rounded(plain / median, 1),
      ...(target === undefined ? {} : { target }),
      ok: target === undefined || median < target,
    });
  }
}

const dataDir = mkdtempSync(join(tmpdir(), "pipeline-bench-"));
const stack = await startStack({
  projectRoot: PROJECT_ROOT,
  dataDir,
  portBase: await findPortBase(Number(options["port-base"])),
});
const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
try {
  const email = "bench@capacity.example";
  await createAndSignIn(stack, { role: "owner", email, password: "bench-password", name: "Bench" });
  const [own] = await sql<{ workspace_id: string; user_id: string }[]>`
    select workspace_id, user_id from public.workspace_members where email = ${email}`;
  if (own === undefined) throw new Error("Signing up made no workspace.");
  await fillWorkspace(sql, own.workspace_id, SIZE);
  await measure(sql, own.user_id, own.workspace_id);
} finally {
  await sql.end();
  await stack.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
