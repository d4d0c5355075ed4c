import type { TransactionSql } from "postgres";

/**
 * The analytics once more, from the records themselves and in the plainest way: deal after deal, stay after stay, day after
 * day, without facts, totals, differences or SQL. As slow as it looks.
 */

interface Stage {
  key: string;
  kind: "open" | "won" | "lost" | "on_hold";
  position: number;
}

interface DealRow {
  id: string;
  stage: string;
  cents: number | null;
  probability: number;
  currency: string;
  owner: string;
  source: string;
  reason: string;
  rivals: string[];
  createdAt: number;
  expected: string | null;
  closed: string | null;
  entries: { stage: string; at: number }[];
  dates: { old: string | null; new: string | null }[];
  score: number | null;
  touchedAt: number | null;
}

interface Stay {
  stage: string;
  from: number;
  to: number | null;
}

export interface Deal extends DealRow {
  kind: Stage["kind"];
  stays: Stay[];
  createdDay: string;
  closedDay: string | null;
  cycle: number | null;
  slips: number;
  slippedDays: number;
}

export interface Records {
  /** Microseconds since 1970, as all times here. */
  now: number;
  zone: string;
  bands: number[];
  stages: Map<string, Stage>;
  deals: Deal[];
}

const DAY = 86_400e6;
export const PERIODS = { last_3_months: 3, last_12_months: 12, all: null } as const;
export type Period = keyof typeof PERIODS;

export function dayOf(at: number, zone: string): string {
  return new Date(at / 1000).toLocaleDateString("en-CA", { timeZone: zone });
}

const between = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 86_400_000;
const plausible = (day: string | null) =>
  day !== null && day >= "1900-01-01" && day <= "2199-12-31" && day.length === 10 ? day : null;
export const monthOf = (day: string) => `${day.slice(0, 7)}-01`;

export function addMonths(month: string, count: number): string {
  const date = new Date(`${month}T00:00:00Z`);
  date.setUTCMonth(date.getUTCMonth() + count);
  return date.toISOString().slice(0, 10);
}

export function sinceOf(records: Records, period: Period): string {
  const months = PERIODS[period];
  return months === null ? "" : addMonths(monthOf(dayOf(records.now, records.zone)), -months);
}

function staysOf(entries: DealRow["entries"]): Stay[] {
  const stays: Stay[] = [];
  for (const { stage, at } of entries) {
    const last = stays.at(-1);
    if (last?.stage === stage) continue;
    if (last !== undefined) last.to = at;
    stays.push({ stage, from: at, to: null });
  }
  return stays;
}

function understood(row: DealRow, { zone, stages }: Pick<Records, "zone" | "stages">): Deal {
  const stays = staysOf(row.entries);
  const kind = stages.get(row.stage)?.kind ?? "open";
  const days = [dayOf(row.createdAt, zone), ...stays.slice(0, 1).map(({ from }) => dayOf(from, zone))].sort();
  const createdDay = days[0] ?? "";
  const last = stays.at(-1);
  const closedDay =
    kind === "won" || kind === "lost" ? (plausible(row.closed) ?? dayOf(last?.from ?? row.createdAt, zone)) : null;
  const length = closedDay === null ? -1 : between(createdDay, closedDay);
  const [first] = row.dates;
  const firstDate = first === undefined ? null : (plausible(first.old) ?? plausible(first.new));
  const expected = plausible(row.expected);
  return {
    ...row,
    expected,
    kind,
    stays,
    createdDay,
    closedDay,
    cycle: length >= 0 ? length : null,
    slips: row.dates.filter(
      ({ old, new: latter }) => old !== null && latter !== null && Date.parse(latter) > Date.parse(old),
    ).length,
    slippedDays: expected === null || firstDate === null ? 0 : between(firstDate, expected),
  };
}

export async function readRecords(sql: TransactionSql, workspace: string): Promise<Records> {
  const [own] = await sql<{ now: string; zone: string; bands: string[] | null }[]>`
    select (extract(epoch from now()) * 1e6)::bigint::text as now, w.time_zone as zone, s.size_bands as bands
      from public.workspaces w left join public.planning_settings s on s.workspace_id = w.id where w.id = ${workspace}`;
  const stages = await sql<
    Stage[]
  >`select key, kind, position from public.pipeline_stages where workspace_id = ${workspace}`;
  const rows = await sql<{ deal: DealRow }[]>`
    select jsonb_build_object('id', d.id, 'stage', d.stage_key, 'cents', d.estimated_value * 100, 'probability', d.probability,
      'currency', d.currency, 'owner', coalesce(d.owner_id::text, btrim(d.owner_label), ''), 'source', lower(btrim(coalesce(d.deal_source, ''))),
      'reason', lower(btrim(coalesce(d.lost_reason, ''))), 'rivals', d.competitor_info, 'createdAt', (extract(epoch from d.created_at) * 1e6)::bigint,
      'expected', d.expected_close_date, 'closed', d.actual_close_date,
      'entries', (select coalesce(jsonb_agg(jsonb_build_object('stage', h.to_stage, 'at', (extract(epoch from h.changed_at) * 1e6)::bigint) order by h.changed_at, h.seq), '[]')
        from public.pipeline_stage_history h where h.pipeline_project_id = d.id),
      'dates', (select coalesce(jsonb_agg(jsonb_build_object('old', h.old_date, 'new', h.new_date) order by h.id), '[]')
        from public.pipeline_date_history h where h.pipeline_project_id = d.id and h.field = 'expected_close_date'),
      'score', (select a.score from public.pipeline_availability a where a.pipeline_project_id = d.id),
      'touchedAt', (select (extract(epoch from max(t.at)) * 1e6)::bigint from (
        select a.created_at as at from public.crm_activities a where a.entity_id = d.id
        union all select n.created_at from public.crm_notes n where n.deal_id = d.id
        union all select k.updated_at from public.crm_tasks k where k.deal_id = d.id) t)) as deal
      from public.pipeline_projects d where d.workspace_id = ${workspace} and d.deleted_at is null`;
  const known = { zone: own?.zone ?? "", stages: new Map(stages.map((stage) => [stage.key, stage])) };
  return {
    ...known,
    now: Number(own?.now),
    bands: (own?.bands ?? []).map(Number),
    deals: rows.map(({ deal }) => understood(deal, known)),
  };
}

/** As PostgreSQL rounds numbers: halves away from zero. */
export function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  const scaled = Math.abs(value) * scale;
  return (Math.sign(value) * Math.floor(scaled + 0.5 + scaled * 1e-14)) / scale + 0;
}

export const percent = (part: number, whole: number) => (whole === 0 ? null : rounded((100 * part) / whole, 2));

export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
export const worth = (deals: readonly Deal[]) => sum(deals.map(({ cents }) => cents ?? 0)) / 100;
/** Deal by deal in whole cents. */
export const weightedWorth = (deals: readonly Deal[]) =>
  rounded(sum(deals.map(({ cents, probability }) => rounded(((cents ?? 0) * probability) / 100, 0))) / 100, 2);
/** The shortest that so many per cent of them are not longer than. */
const rank = (sorted: readonly number[], share: number) => sorted[Math.ceil((share * sorted.length) / 100) - 1] ?? null;
const sortedUp = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

/** First stays of deals in a stage, with what became of them. */
export function firstStays({ deals, stages, zone }: Records) {
  const place = (key: string) => stages.get(key)?.position ?? Number.POSITIVE_INFINITY;
  return deals.flatMap((deal) =>
    deal.stays.flatMap((stay, index) => {
      if (deal.stays.findIndex(({ stage }) => stage === stay.stage) !== index) return [];
      const advanced = deal.stays.slice(index + 1).some(({ stage }) => {
        const kind = stages.get(stage)?.kind;
        return kind === "won" || (kind === "open" && place(stage) > place(stay.stage));
      });
      return [{ deal, stage: stay.stage, month: monthOf(dayOf(stay.from, zone)), advanced }];
    }),
  );
}

export function countOf(stays: ReturnType<typeof firstStays>) {
  const [won, lost] = ["won", "lost"].map((kind) => stays.filter(({ deal }) => deal.kind === kind).length) as [
    number,
    number,
  ];
  const advanced = stays.filter((stay) => stay.advanced).length;
  return { entered: stays.length, won, lost, open: stays.length - won - lost, advanced };
}

export function timesInStage(records: Records, period: Period): Map<string, object> {
  const since = sinceOf(records, period);
  const ended = records.deals.flatMap(({ stays }) =>
    stays.flatMap(({ stage, from, to }) =>
      to !== null && monthOf(dayOf(to, records.zone)) >= since ? [{ stage, days: rounded((to - from) / DAY, 4) }] : [],
    ),
  );
  return new Map(
    [...grouped(ended, ({ stage }) => stage)].map(([stage, all]) => {
      const lengths = sortedUp(all.map(({ days }) => rounded(days, days < 10 ? 1 : 0)));
      const open = records.deals.filter(
        (deal) => deal.stage === stage && (deal.kind === "open" || deal.kind === "on_hold"),
      );
      return [
        stage,
        {
          n: all.length,
          mean_days: rounded(sum(all.map(({ days }) => days)) / all.length, 1),
          p50_days: rank(lengths, 50),
          p75_days: rank(lengths, 75),
          p90_days: rank(lengths, 90),
          open_n: open.length,
        },
      ];
    }),
  );
}

export function cyclesOf(deals: readonly Deal[]) {
  const lengths = sortedUp(deals.flatMap(({ kind, cycle }) => (kind === "won" && cycle !== null ? [cycle] : [])));
  if (lengths.length === 0) return null;
  return {
    n: lengths.length,
    mean_days: rounded(sum(lengths) / lengths.length, 1),
    p50_days: rank(lengths, 50),
    p90_days: rank(lengths, 90),
  };
}

export const closedSince = ({ deals }: Records, since: string, kind?: string) =>
  deals.filter(
    (deal) => deal.closedDay !== null && monthOf(deal.closedDay) >= since && (kind === undefined || deal.kind === kind),
  );

/** What a deal counts for in a dimension of win and loss. */
export function keysOf(deal: Deal, bands: readonly number[]): Record<string, string[]> {
  const band = deal.cents === null ? "" : String(bands.filter((bound) => (deal.cents ?? 0) / 100 >= bound).length);
  return {
    all: [""],
    owner: [deal.owner],
    source: [deal.source],
    size_band: [band],
    lost_reason: deal.kind === "lost" ? [deal.reason] : [],
    competitor: [...new Set(deal.rivals.map((name) => name.trim().toLowerCase()))],
  };
}

export function daysInStage(records: Records, deal: Deal): number {
  return (records.now - (deal.stays.at(-1)?.from ?? deal.createdAt)) / DAY;
}
