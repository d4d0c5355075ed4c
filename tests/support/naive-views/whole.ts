import type { TransactionSql } from "postgres";
import {
  addMonths,
  closedSince,
  countOf,
  cyclesOf,
  dayOf,
  firstStays,
  grouped,
  monthOf,
  percent,
  rounded,
  sinceOf,
  weightedWorth,
  worth,
} from "../naive-analytics.ts";
import { CURRENCIES, type View } from "./view.ts";

const TARGETS = [
  { period: "month", start: "2026-11-01", months: 1 },
  { period: "quarter", start: "2026-10-01", months: 3 },
  { period: "quarter", start: "2026-02-01", months: 3 },
  { period: "year", start: "2026-07-01", months: 12 },
].flatMap((target) => CURRENCIES.flatMap((currency) => [true, false].map((mine) => ({ ...target, currency, mine }))));

export async function setTargets(sql: TransactionSql, workspace: string): Promise<void> {
  for (const { period, start, currency, mine } of TARGETS) {
    await sql`
      insert into public.pipeline_targets (workspace_id, period, period_start, amount, currency, owner_id)
      select ${workspace}, ${period}, ${start}, 250000, ${currency}, case when ${mine} then m.user_id end
        from public.workspace_members m where m.workspace_id = ${workspace}`;
  }
}

export const COVERAGE: View = {
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

export const LEARNED: View = {
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

export const DASHBOARD: View = {
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
