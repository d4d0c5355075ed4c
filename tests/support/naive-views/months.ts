import {
  addMonths,
  closedSince,
  countOf,
  cyclesOf,
  dayOf,
  firstStays,
  grouped,
  keysOf,
  monthOf,
  type Period,
  percent,
  type Records,
  rounded,
  sinceOf,
  timesInStage,
  worth,
} from "../naive-analytics.ts";
import { CURRENCIES, periods, type Rows, type View } from "./view.ts";

export const CONVERSION: View = {
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

export const FUNNEL: View = {
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

export const TIMES: View = {
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

export const CYCLE: View = {
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

export const VELOCITY: View = {
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

export const TREND: View = {
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

export const WIN_LOSS: View = {
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
