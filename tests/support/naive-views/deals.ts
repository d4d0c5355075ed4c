import { dayOf, daysInStage, type Records, rounded, timesInStage } from "../naive-analytics.ts";
import type { View } from "./view.ts";

export const SLIPPED: View = {
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

export const AGEING: View = {
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

export const RISKS: View = {
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
