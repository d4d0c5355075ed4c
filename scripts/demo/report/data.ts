/** All that the planning demo shows, in the terminal and as a page. Money in whole units of one currency. */
export interface PlanningReport {
  title: string;
  /** Where the records are from and what was invented. */
  source: string;
  /** ISO day on which the forecast stands. */
  asOf: string;
  currency: string;
  funnel: FunnelStage[];
  forecast: RevenueOutlook;
  capacity: CapacityMap;
  hiring: HiringRow[];
}

export interface FunnelStage {
  stage: string;
  label: string;
  kind: "open" | "on_hold" | "won" | "lost";
  deals: number;
  value: number;
  weighted: number;
}

export interface RevenueOutlook {
  runs: number;
  seed: number;
  periods: ForecastMonth[];
  total: Band & { withNew: Band };
}

export interface Band {
  p10: number;
  p50: number;
  p90: number;
}

export interface ForecastMonth extends Band {
  /** YYYY-MM. */
  period: string;
  closed: number;
  /** Value × probability of the deals that have a closing day, as a person would add it up. */
  weighted: number;
  /** Together with deals that nobody has entered yet. */
  withNew: Band;
}

export interface CapacityMap {
  /** Mondays, ISO days. */
  weeks: string[];
  skills: SkillLoad[];
}

export interface SkillLoad {
  skill: string;
  people: number;
  /** One a week, in the order of `weeks`. Hours. */
  weeks: WeekLoad[];
}

export interface WeekLoad {
  capacity: number;
  /** Promised to projects already. */
  allocated: number;
  /** What open deals would ask for, times their probability. */
  demand: number;
}

export interface HiringRow {
  skill: string;
  level: string | null;
  people: number;
  neededBy: string;
  openBy: string;
  late: boolean;
}
