export interface Question {
  view: string;
  /** What is special about it, where a view is asked in several ways. */
  about?: string;
  /** As a screen asks: the first rows in this order. */
  order?: string;
  ascending?: boolean;
  /** Column, operator as in SQL, value. */
  filters?: readonly (readonly [string, "=" | ">=" | "<=" | "<" | "ilike" | "@>", string])[];
  /** How many there are, beside the first rows. */
  counted?: boolean;
}

export const LIST_VIEW = "pipeline_project_list";

/** A dashboard's. */
const VIEWS: readonly Question[] = [
  { view: "crm_dashboard" },
  { view: "pipeline_stage_conversion" },
  { view: "pipeline_funnel_months" },
  { view: "pipeline_time_in_stage" },
  { view: "pipeline_velocity" },
  { view: "pipeline_cycle" },
  { view: "pipeline_win_loss" },
  { view: "pipeline_trend_months" },
  { view: "pipeline_coverage" },
  { view: "pipeline_stage_probabilities" },
  { view: "analytics_freshness" },
  { view: "pipeline_slipped_deals", order: "days_overdue" },
  { view: "pipeline_ageing", order: "entered_stage_at", ascending: true },
  { view: "pipeline_top_risks", order: "exposure" },
  { view: "pipeline_snapshots", order: "day" },
];

/** The list of deals: each documented filter and order; what is found often, seldom and never. */
const LIST: readonly Omit<Question, "view">[] = [
  { about: "newest", order: "created_at" },
  { about: "by name", order: "name", ascending: true },
  { about: "by weighted value", order: "weighted_value" },
  { about: "by value", order: "estimated_value" },
  { about: "longest in its stage", order: "entered_stage_at", ascending: true },
  {
    about: "by expected close, from today on",
    order: "expected_close_date",
    ascending: true,
    filters: [["expected_close_date", ">=", new Date().toISOString().slice(0, 10)]],
  },
  {
    about: "a column of the board",
    order: "board_position",
    ascending: true,
    filters: [["stage_key", "=", "proposal"]],
  },
  { about: "search, found often", order: "weighted_value", filters: [["search_text", "ilike", "%e%"]] },
  {
    about: "search, found by two of a hundred",
    order: "weighted_value",
    filters: [["search_text", "ilike", "%roof 1%"]],
  },
  { about: "search, found seldom", order: "created_at", filters: [["search_text", "ilike", "%tunnel 4711%"]] },
  { about: "search, found never", order: "created_at", filters: [["search_text", "ilike", "%zzzz%"]] },
  { about: "client", order: "created_at", filters: [["client_name", "ilike", "%of acme 77%"]] },
  { about: "client, never", order: "weighted_value", filters: [["client_name", "ilike", "%zzzz%"]] },
  {
    about: "stage, priority, probability, value",
    order: "weighted_value",
    filters: [
      ["stage_key", "=", "proposal"],
      ["priority", "=", "high"],
      ["probability", ">=", "50"],
      ["estimated_value", "<=", "500000"],
    ],
  },
  { about: "kind of stage", order: "entered_stage_at", ascending: true, filters: [["stage_kind", "=", "open"]] },
  { about: "skill", order: "created_at", filters: [["required_skills", "@>", '["sql"]']] },
  { about: "skill, never", order: "weighted_value", filters: [["required_skills", "@>", '["cobol"]']] },
  { about: "tag", order: "weighted_value", filters: [["tags", "@>", '["vip"]']] },
  { about: "overdue", order: "expected_close_date", ascending: true, filters: [["is_overdue", "=", "true"]] },
  { about: "hard to staff", order: "weighted_value", filters: [["availability_score", "<", "20"]] },
  { about: "all, counted", order: "created_at", counted: true },
  { about: "search, counted", order: "weighted_value", counted: true, filters: [["search_text", "ilike", "%roof 1%"]] },
  {
    about: "search found often, counted",
    order: "weighted_value",
    counted: true,
    filters: [["search_text", "ilike", "%e%"]],
  },
];

export const QUESTIONS: readonly Question[] = [...VIEWS, ...LIST.map((each) => ({ view: LIST_VIEW, ...each }))];
