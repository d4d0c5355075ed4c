import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { type Client, createAndSignIn } from "../scripts/lib/people.ts";
import { findPortBase } from "../scripts/lib/ports.ts";
import { type Bed, withBed } from "./lib/bed.ts";
import { fillPipeline, setTargets } from "./lib/pipeline.ts";
import { LIST_VIEW, QUESTIONS, type Question } from "./lib/questions.ts";
import { percentile, report, rounded } from "./lib/report.ts";

/**
 * What a dashboard asks, in workspaces with years of history: each view as an ordinary member, under the policies, by SQL
 * and through the Data API. Beside it a plain aggregate over the deals of the same workspace, without policies. Before
 * that, how fast the facts are worked out from nothing, and after a sync has touched a hundred deals.
 */

const { values: options } = parseArgs({
  options: {
    workspaces: { type: "string", default: "10" },
    deals: { type: "string", default: "100000" },
    /** Rows of the stage history for each deal. */
    moves: { type: "string", default: "10" },
    calls: { type: "string", default: "40" },
    /** One view. Of the list of deals nothing is refreshed first, for it reads no facts. */
    only: { type: "string" },
    "port-base": { type: "string", default: "15600" },
  },
});
const [WORKSPACES, DEALS, CALLS] = [Number(options.workspaces), Number(options.deals), Number(options.calls)];
const MOVES = Number(options.moves);
const TARGET_MS = 200;
const WITH_FACTS = options.only !== LIST_VIEW;
/** A refresh of a few deals may take no longer than a minute's job can spare for one of many workspaces. */
const TOUCHED = 100;
const TOUCHED_TARGET_MS = 1_000;

/** An index gives them back in the order that a client asks for by default. */
const NEVER_NULL: ReadonlySet<string> = new Set(["created_at", "name"]);
const ROWS = 50;

interface Member {
  client: Client;
  userId: string;
  workspace: string;
}

async function memberOfNewWorkspace(bed: Bed, sql: Sql): Promise<Member> {
  const person = async (role: "owner" | "member") => {
    const email = `${randomUUID()}@bench.example`;
    const client = await createAndSignIn(bed.stack, { role, email, password: randomUUID(), name: "Bench" });
    const [own] = await sql<{ id: string; user: string }[]>`
      select workspace_id as id, user_id as user from public.workspace_members where email = ${email}`;
    if (own === undefined) throw new Error("Signing up made no workspace.");
    return { client, ...own };
  };
  const [owner, member] = [await person("owner"), await person("member")];
  await sql`insert into public.workspace_members (workspace_id, user_id, role) values (${owner.id}, ${member.user}, 'member')`;
  return { client: member.client, userId: member.user, workspace: owner.id };
}

/** As PostgREST puts it: the count beside the rows, over all that there are. */
function textOf(
  { view, order, ascending = false, filters = [], counted = false }: Question,
  workspace: string,
): string {
  const conditions = filters.map(([column, operator, value]) => ` and ${column} ${operator} '${value}'`).join("");
  const found = `from public.${view} where workspace_id = '${workspace}'${conditions}`;
  const nulls = ascending || NEVER_NULL.has(order ?? "") ? "" : " nulls last";
  const ordered = order === undefined ? "" : ` order by ${order} ${ascending ? "asc" : "desc"}${nulls}`;
  const count = counted ? `, (select count(*) from (select 1 ${found}) c) as total` : "";
  return `select *${count} ${found}${ordered} limit ${ROWS}`;
}

/** Runs a statement as the Data API would: the role, the claims, then the question. */
async function asMember<T>(sql: Sql, { userId }: Member, run: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> {
  const claims = JSON.stringify({ sub: userId, role: "authenticated" });
  return (await sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`;
    return run(tx);
  })) as T;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  Plans?: PlanNode[];
}

function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Tables that have a few rows for a workspace may be read as a whole; these must not. */
const LARGE =
  /^(pipeline_projects|pipeline_search_texts|pipeline_stage_history|crm_|analytics_(deals|stage_visits|stage_days|outcome_months))/;

async function planOf(sql: Sql, member: Member, question: Question) {
  const [row] = await asMember(sql, member, (tx) =>
    tx.unsafe<{ "QUERY PLAN": { Plan: PlanNode }[] }[]>(`explain (format json) ${textOf(question, member.workspace)}`),
  );
  const nodes = row?.["QUERY PLAN"].flatMap(({ Plan }) => nodesOf(Plan)) ?? [];
  const of = (wanted: (node: PlanNode) => string | undefined) =>
    [...new Set(nodes.flatMap((node) => wanted(node) ?? []))].sort();
  return {
    indexes: of((node) => node["Index Name"]),
    scanned: of((node) => (node["Node Type"] === "Seq Scan" ? node["Relation Name"] : undefined)).filter((name) =>
      LARGE.test(name),
    ),
  };
}

async function measure(sql: Sql, members: readonly Member[], question: Question, plainMs: number): Promise<void> {
  const [bySql, byRest]: [number[], number[]] = [[], []];
  for (let call = 0; call < CALLS; call++) {
    const member = members[call % members.length] as Member;
    bySql.push(await asMember(sql, member, async (tx) => timed(() => tx.unsafe(textOf(question, member.workspace)))));
    byRest.push(await timed(() => overRest(member, question)));
  }
  const plan = await planOf(sql, members[0] as Member, question);
  const p95 = percentile(bySql, 0.95);
  report({
    bench: "analytics",
    case: question.about === undefined ? question.view : `${question.view}: ${question.about}`,
    calls: CALLS,
    value: rounded(p95, 1),
    unit: "ms p95",
    p50: rounded(percentile(bySql, 0.5), 1),
    rest_p95: rounded(percentile(byRest, 0.95), 1),
    target: TARGET_MS,
    ratio_to_plain_aggregate: rounded(percentile(bySql, 0.5) / plainMs),
    ...plan,
    ok: p95 < TARGET_MS && plan.scanned.length === 0,
  });
}

const OPERATORS = { "=": "eq", ">=": "gte", "<=": "lte", "<": "lt", ilike: "ilike", "@>": "cs" } as const;

async function overRest({ client, workspace }: Member, question: Question): Promise<void> {
  const { view, order, ascending = false, filters = [], counted = false } = question;
  let request = client
    .from(view as "crm_dashboard")
    .select("*", counted ? { count: "exact" } : {})
    .eq("workspace_id", workspace)
    .limit(ROWS);
  for (const [column, operator, value] of filters) request = request.filter(column, OPERATORS[operator], value);
  const { error } = await (order === undefined
    ? request
    : request.order(order as "contacts", { ascending, ...(NEVER_NULL.has(order) ? {} : { nullsFirst: false }) }));
  if (error) throw new Error(`${view}: ${error.message}`);
}

/** Milliseconds of the middle call. */
async function plainAggregate(sql: Sql, members: readonly Member[], table: string, by: string): Promise<number> {
  const times: number[] = [];
  for (let call = 0; call < 9; call++) {
    const { workspace } = members[call % members.length] as Member;
    times.push(
      await timed(() =>
        sql.unsafe(
          `select ${by}, count(*), sum(estimated_value) from public.${table} where workspace_id = '${workspace}' group by 1`,
        ),
      ),
    );
  }
  const value = percentile(times, 0.5);
  report({
    bench: "analytics",
    case: `plain aggregate over ${table}`,
    value: rounded(value, 1),
    unit: "ms p50",
    ok: true,
  });
  return value;
}

async function fill(bed: Bed, sql: Sql, members: readonly Member[]): Promise<void> {
  const admin = postgres(bed.stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await admin`set statement_timeout = 0`;
    let [filling, refreshing] = [0, 0];
    for (const { workspace } of members) {
      filling += await timed(() => fillPipeline(admin, workspace, { deals: DEALS, moves: MOVES }));
      await setTargets(admin, workspace);
      if (WITH_FACTS) {
        refreshing += await timed(() => sql`select private.rebuild_analytics(${workspace})`);
        await sql`select private.take_snapshot(${workspace}, current_date)`;
      }
      process.stderr.write(
        `${workspace}: filled ${Math.round(filling / 1000)} s, refreshed ${Math.round(refreshing / 1000)} s in all\n`,
      );
    }
    // As autovacuum leaves them.
    await admin.unsafe("vacuum (analyze)");
    if (!WITH_FACTS) return;
    const deals = members.length * DEALS;
    report({
      bench: "analytics",
      case: "facts from nothing",
      workspaces: members.length,
      deals,
      history: deals * MOVES,
      seconds: rounded(refreshing / 1000, 1),
      value: Math.round(deals / (refreshing / 1000)),
      unit: "deals/s",
      ok: true,
    });
  } finally {
    await admin.end();
  }
}

async function refreshTouched(sql: Sql, members: readonly Member[]): Promise<void> {
  const times: number[] = [];
  for (const { workspace } of members) {
    await sql`
      update public.pipeline_projects set estimated_value = estimated_value + 1
       where id in (select id from public.pipeline_projects where workspace_id = ${workspace} limit ${TOUCHED})`;
    times.push(await timed(() => sql`select private.refresh_workspace(${workspace}, 5000)`));
  }
  const value = percentile(times, 0.95);
  report({
    bench: "analytics",
    case: "refresh after a small sync",
    deals: TOUCHED,
    value: rounded(value, 1),
    unit: "ms p95",
    target: TOUCHED_TARGET_MS,
    ok: value < TOUCHED_TARGET_MS,
  });
}

async function run(bed: Bed): Promise<void> {
  const sql = postgres(bed.stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`set statement_timeout = 0`;
    // Nothing but the bench refreshes.
    await sql`select cron.unschedule(jobname) from cron.job`;
    const members: Member[] = [];
    for (let index = 0; index < WORKSPACES; index++) members.push(await memberOfNewWorkspace(bed, sql));
    await fill(bed, sql, members);
    if (WITH_FACTS) await refreshTouched(sql, members);
    const plainMs = await plainAggregate(sql, members, "pipeline_projects", "stage_key");
    await plainAggregate(sql, members, "pipeline_stage_history", "to_stage");
    for (const question of QUESTIONS) {
      if (options.only === undefined || options.only === question.view) await measure(sql, members, question, plainMs);
    }
  } finally {
    await sql.end();
  }
}

const portBase = await findPortBase(Number(options["port-base"]));
await withBed({ provider: "salesforce", records: 1, portBase }, run);
