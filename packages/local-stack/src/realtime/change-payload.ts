import type { Image } from "./images.ts";
import type { TableFacts } from "./table-facts.ts";
import type { Change } from "./wal.ts";

/** The columns one kind of subscriber gets: what its role may read, narrowed by `select`; the key always stays. */
export interface View {
  columns: ReadonlySet<string>;
  keys: ReadonlySet<string>;
  columnsJson: string;
  /** True when nothing is taken away, so that the rendered JSON can be sent as it is. */
  whole: boolean;
  rowSecurity: boolean;
}

export interface RenderedChange {
  change: Change;
  record: Image | null;
  /** The identity when the log held one of its own; else it is taken from the key columns of the record. */
  identity: Image | null;
}

type Row = Record<string, unknown>;

const ERROR_TOO_LARGE = "Error 413: Payload Too Large";
/** Of a change above the size limit only values up to this length are delivered. */
const SHORT_VALUE_BYTES = 64;

export function createView(facts: TableFacts, role: string, select: readonly string[] | null): View {
  const kept = facts.columns.filter(
    (column) => column.selectableBy.includes(role) && (select === null || column.isKey || select.includes(column.name)),
  );
  return {
    columns: new Set(kept.map((column) => column.name)),
    keys: new Set(facts.columns.filter((column) => column.isKey).map((column) => column.name)),
    columnsJson: JSON.stringify(kept.map(({ name, type }) => ({ name, type }))),
    whole: kept.length === facts.columns.length,
    rowSecurity: facts.rowSecurity,
  };
}

/** The `data` of a postgres_changes message as JSON. */
export function changeData(rendered: RenderedChange, view: View): string {
  const { change } = rendered;
  const parts = [head(change), `"commit_timestamp":"${change.committedAt}"`, `"columns":${view.columnsJson}`];
  if (rendered.record) parts.push(`"record":${recordJson(rendered.record, change, view)}`);
  if (change.kind !== "INSERT") parts.push(`"old_record":${oldRecordJson(rendered, view)}`);
  parts.push(`"errors":${change.oversized ? JSON.stringify([ERROR_TOO_LARGE]) : "null"}`);
  return `{${parts.join(",")}}`;
}

/** What a subscriber gets who may see no row of the table at all. */
export function errorData(change: Change, message: string): string {
  const errors = JSON.stringify([message]);
  return `{${head(change)},"commit_timestamp":"${change.committedAt}","columns":[],"record":{},"old_record":{},"errors":${errors}}`;
}

function head(change: Change): string {
  const { schema, name } = change.relation;
  return `"schema":${JSON.stringify(schema)},"table":${JSON.stringify(name)},"type":"${change.kind}"`;
}

function recordJson(image: Image, change: Change, view: View): string {
  if (view.whole && image.complete && !change.oversized) return image.json;
  return JSON.stringify(pick(image, (name) => view.columns.has(name), change.oversized));
}

/** A deleted row can no longer be checked, so under row level security only its key is told. */
function oldRecordJson(rendered: RenderedChange, view: View): string {
  const { change, record, identity } = rendered;
  const keysOnly = change.kind === "DELETE" && view.rowSecurity;
  const image = identity ?? record;
  if (image === null) return "{}";
  const replicated = new Set(change.relation.keyColumns);
  const keep = (name: string) =>
    view.columns.has(name) && (!keysOnly || view.keys.has(name)) && (identity !== null || replicated.has(name));
  return JSON.stringify(pick(image, keep, change.oversized));
}

function pick(image: Image, keep: (name: string) => boolean, shortOnly: boolean): Row {
  const row = JSON.parse(image.json) as Row;
  const fits = (value: unknown) => !shortOnly || Buffer.byteLength(JSON.stringify(value)) <= SHORT_VALUE_BYTES;
  return Object.fromEntries(
    Object.entries(row).filter(([name, value]) => keep(name) && image.present(name) && fits(value)),
  );
}
