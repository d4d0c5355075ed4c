/** One part of the page: a chart, and the same as a table for those who read or copy. */
export interface Section {
  id: string;
  title: string;
  /** What the chart says, in a sentence. */
  lead: string;
  /** SVG. */
  chart: string;
  legend: readonly Key[];
  table: Table;
}

export interface Key {
  colour: string;
  text: string;
}

export interface Table {
  head: readonly string[];
  rows: readonly (readonly string[])[];
}
