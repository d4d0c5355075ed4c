import fc from "fast-check";
import type { TransactionSql } from "postgres";
import { afterAll, describe, expect, test } from "vitest";
import {
  addMonths,
  closedSince,
  countOf,
  cyclesOf,
  dayOf,
  daysInStage,
  firstStays,
  grouped,
  keysOf,
  monthOf,
  PERIODS,
  type Period,
  percent,
  type Records,
  readRecords,
  rounded,
  sinceOf,
  timesInStage,
  weightedWorth,
  worth,
} from "../support/naive-analytics.ts";
import { inWorkspace, Pipeline, step } from "../support/pipeline-histories.ts";
import { openSql } from "../support/world.ts";

/** Each view against the same worked out naively from the records, after histories by chance. */

const SEED = Number(process.env.ANALYTICS_SEED ?? 20261121);
const CASES = Number(process.env.ANALYTICS_CASES ?? 6);
const CURRENCIES = ["EUR", "USD"];

type Rows = Record<string, unknown>;
const periods = Object.keys(PERIODS) as Period[];

/** Rows of a view under a key of some of its columns; numbers as numbers. */
async function shown(
  sql: TransactionSql,
  workspace: string,
  view: string,
  key: string,
  columns: string,
): Promise<Rows> {
  const rows = await sql.unsafe<{ key: string; value: unknown }[]>(
    `select concat_ws('|', ${key}) as key, to_jsonb(v) as value from public.${view} v where workspace_id = $1`,
    [workspace],
  );
  const named = columns.split(",").map((name) => name.trim());
  return Object.fromEntries(
    rows.map(({ key, value }) => [key, Object.fromEntries(named.map((name) => [name, (value as Rows)[name]]))]),
  );
}

interface View {
  view: string;
  key: string;
  columns: string;
  naive: (records: Records) => Rows;
}

const CONVERSION: View = {
  view: "pipeline_stage_conversion",
  key: "period, stage_key",
  columns: "entered, won, lost, open, advanced, win_rate, advance_rate",
  naive: (records) => {
    const all = firstStays(records);
    const keys = new Set([...records.stages.keys(), ...all.map(({ stage }) => stage)]);
    return Object.fromEntries(
      periods.flatMap((period) =>
        [...keys].map((key) => {
          const since = sinceOf(records, period);
          const count = countOf(all.filter(({ stage, month }) => stage === key && month >= since));
          const rates = {
            win_rate: percent(count.won, count.won + count.lost),
            advance_rate: percent(count.advanced, count.entered),
          };
          return [`${period}|${key}`, { ...count, ...rates }];
        }),
      ),
    );
  },
};

const FUNNEL: View = {
  view: "pipeline_funnel_months",
  key: "month, stage_key",
  columns: "entered, won, lost, open, advanced",
  naive: (records) =>
    Object.fromEntries(
      [...grouped(firstStays(records), ({ month, stage }) => `${month}|${stage}`)].map(([key, stays]) => [
        key,
        countOf(stays),
      ]),
    ),
};

const TIMES: View = {
  view: "pipeline_time_in_stage",
  key: "period, stage_key",
  columns: "n, mean_days, p50_days, p75_days, p90_days, open_n",
  naive: (records) =>
    Object.fromEntries(
      periods.flatMap((period) =>
        [...timesInStage(records, period)].map(([stage, times]) => [`${period}|${stage}`, times] as const),
      ),
    ),
};

const CYCLE: View = {
  view: "pipeline_cycle",
  key: "period, currency",
  columns: "n, mean_days, p50_days, p90_days",
  naive: (records) =>
    Object.fromEntries(
      periods.flatMap((period) =>
        CURRENCIES.flatMap((currency) => {
          const closed = closedSince(records, sinceOf(records, period)).filter((deal) => deal.currency === currency);
          const cycles = cyclesOf(closed);
          return cycles === null ? [] : [[`${period}|${currency}`, cycles] as const];
        }),
      ),
    ),
};

function velocityOf(records: Records, period: Period, currency: string) {
  const since = sinceOf(records, period);
  const own = { ...records, deals: records.deals.filter((deal) => deal.currency === currency) };
  const [won, lost] = [closedSince(own, since, "won"), closedSince(own, since, "lost")];
  const happened = won.length + lost.length > 0 || own.deals.some(({ createdDay }) => monthOf(createdDay) >= since);
  if (!happened) return null;
  const valued = won.filter(({ cents }) => cents !== null);
  const average_value = valued.length === 0 ? null : rounded(worth(won) / valued.length, 2);
  const lengths = won.flatMap(({ cycle }) => (cycle === null ? [] : [cycle]));
  const cycle_days =
    lengths.length === 0 ? null : rounded(lengths.reduce((total, each) => total + each, 0) / lengths.length, 1);
  const open_deals = own.deals.filter(({ kind }) => kind === "open").length;
  const closed = won.length + lost.length;
  const velocity =
    average_value === null || cycle_days === null || cycle_days === 0 || closed === 0
      ? null
      : rounded((open_deals * average_value * won.length) / closed / cycle_days, 2);
  return {
    won: won.length,
    lost: lost.length,
    average_value,
    cycle_days,
    win_rate: percent(won.length, closed),
    velocity,
    open_deals,
  };
}

const VELOCITY: View = {
  view: "pipeline_velocity",
  key: "period, currency",
  columns: "won, lost, average_value, cycle_days, win_rate, velocity, open_deals",
  naive: (records) =>
    Object.fromEntries(
      periods.flatMap((period) =>
        CURRENCIES.flatMap((currency) => {
          const parts = velocityOf(records, period, currency);
          return parts === null ? [] : [[`${period}|${currency}`, parts] as const];
        }),
      ),
    ),
};

const TREND: View = {
  view: "pipeline_trend_months",
  key: "currency, month",
  columns: "created, created_value, won, won_value, lost, lost_value, win_rate, open_at_end",
  naive: (records) => {
    const last = monthOf(dayOf(records.now, records.zone));
    return Object.fromEntries(
      [...grouped(records.deals, ({ currency }) => currency)].flatMap(([currency, deals]) => {
        const months = deals
          .flatMap(({ createdDay, closedDay }) => [createdDay, closedDay ?? createdDay].map(monthOf))
          .sort();
        const rows: [string, Rows][] = [];
        for (let month = months[0] ?? ""; month <= last; month = addMonths(month, 1)) {
          const created = deals.filter(({ createdDay }) => monthOf(createdDay) === month);
          const closed = deals.filter(({ closedDay }) => closedDay !== null && monthOf(closedDay) === month);
          const [won, lost] = ["won", "lost"].map((kind) => closed.filter((deal) => deal.kind === kind));
          const before = (day: string | null) => day !== null && monthOf(day) <= month;
          const open_at_end =
            deals.filter(({ createdDay }) => before(createdDay)).length -
            deals.filter(({ closedDay }) => before(closedDay)).length;
          rows.push([
            `${currency}|${month}`,
            {
              created: created.length,
              created_value: worth(created),
              won: won?.length,
              won_value: worth(won ?? []),
              lost: lost?.length,
              lost_value: worth(lost ?? []),
              win_rate: percent(won?.length ?? 0, closed.length),
              open_at_end,
            },
          ]);
        }
        return rows;
      }),
    );
  },
};

const WIN_LOSS: View = {
  view: "pipeline_win_loss",
  key: "period, dimension, key, currency",
  columns: "won, lost, win_rate, won_value, lost_value",
  naive: (records) => {
    const counted = periods.flatMap((period) =>
      closedSince(records, sinceOf(records, period)).flatMap((deal) =>
        Object.entries(keysOf(deal, records.bands)).flatMap(([dimension, keys]) =>
          keys.map((key) => ({ deal, place: [period, dimension, key, deal.currency].join("|") })),
        ),
      ),
    );
    return Object.fromEntries(
      [...grouped(counted, ({ place }) => place)].map(([place, all]) => {
        const [won, lost] = ["won", "lost"].map((kind) =>
          all.map(({ deal }) => deal).filter((deal) => deal.kind === kind),
        );
        const closed = { won: won?.length ?? 0, lost: lost?.length ?? 0 };
        const values = { won_value: worth(won ?? []), lost_value: worth(lost ?? []) };
        return [place, { ...closed, win_rate: percent(closed.won, all.length), ...values }];
      }),
    );
  },
};

const SLIPPED: View = {
  view: "pipeline_slipped_deals",
  key: "deal_id",
  columns: "slips, slipped_days, days_overdue",
  naive: (records) => {
    const today = dayOf(records.now, records.zone);
    return Object.fromEntries(
      records.deals.flatMap(({ id, kind, slips, slippedDays, expected }) => {
        const late = expected === null ? null : (Date.parse(today) - Date.parse(expected)) / 86_400_000;
        if (kind !== "open" || (slips === 0 && (late ?? 0) <= 0)) return [];
        return [[id, { slips, slipped_days: slippedDays, days_overdue: late === null ? null : Math.max(0, late) }]];
      }),
    );
  },
};

const usualDays = (records: Records) => {
  const times = timesInStage(records, "last_12_months") as Map<string, { p75_days: number }>;
  return (stage: string) => times.get(stage)?.p75_days ?? null;
};

const AGEING: View = {
  view: "pipeline_ageing",
  key: "deal_id",
  columns: "days_in_stage, usual_days, is_old",
  naive: (records) => {
    const usual = usualDays(records);
    return Object.fromEntries(
      records.deals
        .filter(({ kind }) => kind === "open")
        .map((deal) => {
          const [days, usual_days] = [rounded(daysInStage(records, deal), 1), usual(deal.stage)];
          return [deal.id, { days_in_stage: days, usual_days, is_old: usual_days !== null && days > usual_days }];
        }),
    );
  },
};

const RISKS: View = {
  view: "pipeline_top_risks",
  key: "deal_id",
  columns: "overdue, old_in_stage, slipped_twice, quiet, hard_to_staff, score, exposure",
  naive: (records) => {
    const [today, usual] = [dayOf(records.now, records.zone), usualDays(records)];
    return Object.fromEntries(
      records.deals.flatMap((deal) => {
        const usual_days = usual(deal.stage);
        const parts = {
          overdue: deal.expected !== null && deal.expected < today,
          old_in_stage: usual_days !== null && daysInStage(records, deal) > usual_days,
          slipped_twice: deal.slips >= 2,
          quiet: deal.touchedAt === null || records.now - deal.touchedAt > 30 * 86_400e6,
          hard_to_staff: deal.score !== null && deal.score < 50,
        };
        const points = [30, 25, 20, 15, 10].filter((_, index) => Object.values(parts)[index]);
        const score = points.reduce((total, each) => total + each, 0);
        if (deal.kind !== "open" || score === 0) return [];
        return [
          [deal.id, { ...parts, score, exposure: deal.cents === null ? null : rounded((deal.cents * score) / 1e4, 2) }],
        ];
      }),
    );
  },
};

const TARGETS = [
  { period: "month", start: "2026-11-01", months: 1 },
  { period: "quarter", start: "2026-10-01", months: 3 },
  { period: "quarter", start: "2026-02-01", months: 3 },
  { period: "year", start: "2026-07-01", months: 12 },
].flatMap((target) => CURRENCIES.flatMap((currency) => [true, false].map((mine) => ({ ...target, currency, mine }))));

async function setTargets(sql: TransactionSql, workspace: string): Promise<void> {
  for (const { period, start, currency, mine } of TARGETS) {
    await sql`
      insert into public.pipeline_targets (workspace_id, period, period_start, amount, currency, owner_id)
      select ${workspace}, ${period}, ${start}, 250000, ${currency}, case when ${mine} then m.user_id end
        from public.workspace_members m where m.workspace_id = ${workspace}`;
  }
}

const COVERAGE: View = {
  view: "pipeline_coverage",
  key: "period, period_start, currency, owner_id is not null",
  columns: "closed, remaining, attained, open_value, weighted_value, coverage",
  naive: (records) =>
    Object.fromEntries(
      TARGETS.map(({ period, start, months, currency, mine }) => {
        const within = (day: string | null) => day !== null && day >= start && day < addMonths(start, months);
        const own = records.deals.filter((deal) => deal.currency === currency && (!mine || deal.owner.length === 36));
        const closed = worth(own.filter((deal) => deal.kind === "won" && within(deal.closedDay)));
        const open = own.filter((deal) => deal.kind === "open" && within(deal.expected));
        const [remaining, open_value] = [rounded(Math.max(0, 250_000 - closed), 2), worth(open)];
        return [
          [period, start, currency, mine ? "t" : "f"].join("|"),
          {
            closed,
            remaining,
            attained: percent(closed, 250_000),
            open_value,
            weighted_value: weightedWorth(open),
            coverage: remaining === 0 ? null : rounded(open_value / remaining, 2),
          },
        ];
      }),
    ),
};

const LEARNED: View = {
  view: "pipeline_stage_probabilities",
  key: "stage_key",
  columns: "wins, n",
  naive: (records) => {
    const stays = firstStays(records);
    return Object.fromEntries(
      [...records.stages.values()].map(({ key, kind }) => {
        const { won, lost } = countOf(stays.filter(({ stage }) => stage === key));
        const counts = kind === "open" || kind === "on_hold";
        return [key, { wins: counts ? won : 0, n: counts ? won + lost : 0 }];
      }),
    );
  },
};

const byCurrency = (entries: readonly (readonly [string, number])[]) => Object.fromEntries(entries);

const DASHBOARD: View = {
  view: "crm_dashboard",
  key: "'all'",
  columns:
    "open_opportunities, pipeline_value, weighted_value, won_this_month, lost_this_month, won_value_this_month, win_rate, cycle_days, average_value",
  naive: (records) => {
    const month = monthOf(dayOf(records.now, records.zone));
    const open = records.deals.filter(({ kind }) => kind === "open");
    const now = closedSince(records, month).filter(({ closedDay }) => monthOf(closedDay ?? "") === month);
    const won = now.filter(({ kind }) => kind === "won");
    const year = closedSince(records, sinceOf(records, "last_12_months"));
    const wonInYear = year.filter(({ kind }) => kind === "won");
    const valued = wonInYear.filter(({ cents }) => cents !== null);
    return {
      all: {
        open_opportunities: open.length,
        pipeline_value: byCurrency(
          [...grouped(open, ({ currency }) => currency)].map(([currency, deals]) => [currency, worth(deals)]),
        ),
        weighted_value: byCurrency(
          [...grouped(open, ({ currency }) => currency)].map(([currency, deals]) => [currency, weightedWorth(deals)]),
        ),
        won_this_month: won.length,
        lost_this_month: now.length - won.length,
        won_value_this_month: byCurrency(
          [...grouped(won, ({ currency }) => currency)].map(([currency, deals]) => [currency, worth(deals)]),
        ),
        win_rate: percent(wonInYear.length, year.length),
        cycle_days: cyclesOf(wonInYear)?.mean_days ?? null,
        average_value: byCurrency(
          [...grouped(valued, ({ currency }) => currency)].map(([currency, deals]) => [
            currency,
            rounded(worth(deals) / deals.length, 2),
          ]),
        ),
      },
    };
  },
};

const VIEWS = [
  CONVERSION,
  FUNNEL,
  TIMES,
  CYCLE,
  VELOCITY,
  TREND,
  WIN_LOSS,
  SLIPPED,
  AGEING,
  RISKS,
  COVERAGE,
  LEARNED,
  DASHBOARD,
];

describe("what the views say", () => {
  const sql = openSql();
  afterAll(() => sql.end());

  test(`is what the records say, followed change by change and counted from scratch (${CASES} histories, seed ${SEED})`, async () => {
    const seen = new Map<string, number>();
    const compare = async (tx: TransactionSql, workspace: string, how: string) => {
      const records = await readRecords(tx, workspace);
      for (const { view, key, columns, naive } of VIEWS) {
        const expected = naive(records);
        expect(await shown(tx, workspace, view, key, columns), `${view}, ${how}`).toEqual(expected);
        seen.set(view, (seen.get(view) ?? 0) + Object.keys(expected).length);
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 90, size: "max" }), (steps) =>
        inWorkspace(sql, async (tx, workspace) => {
          await setTargets(tx, workspace);
          const pipeline = new Pipeline(tx, workspace);
          for (const each of steps) await pipeline.take(each);
          await tx`select private.refresh_workspace(${workspace}, 100000)`;
          await compare(tx, workspace, "followed");
          await tx`select private.rebuild_analytics(${workspace})`;
          await compare(tx, workspace, "counted from scratch");
        }),
      ),
      { seed: SEED, numRuns: CASES, endOnFailure: true },
    );
    // Views without rows would agree with anything.
    for (const { view } of VIEWS) expect(seen.get(view), view).toBeGreaterThanOrEqual(CASES);
  });
});
