import { answerWith } from "../errors.ts";
import type { Relationship } from "./relationships.ts";

export interface Wanted {
  schema: string;
  /** The table or view that embeds. */
  origin: string;
  /** What stands in `select`: a table or view, a constraint, or a column of the origin's key. */
  target: string;
  hint: string | undefined;
}

/** The one relationship that PostgREST would take; throws its PGRST200 when there is none, its PGRST201 when there are several. */
export function findRelationship(all: readonly Relationship[], wanted: Wanted): Relationship {
  const { schema, origin } = wanted;
  const found = all.filter((each) => each.schema === schema && each.table === origin && matches(each, wanted));
  if (found.length > 1) throw ambiguous(wanted, found);
  const [only] = found;
  if (!only) throw missing(wanted);
  return only;
}

function matches(relationship: Relationship, { target, hint }: Wanted): boolean {
  const { join } = relationship;
  const byName = target === relationship.target;
  if (relationship.self) {
    if (hint !== undefined) return byName && join.kind === "one-to-many" && onlyColumn(relationship, 1) === hint;
    return (
      (byName && join.kind === "one-to-many") || (join.kind === "many-to-one" && onlyColumn(relationship, 0) === target)
    );
  }
  if (hint !== undefined) {
    const hinted = [constraintOf(relationship), onlyColumn(relationship, 0), onlyColumn(relationship, 1)];
    return byName && (hinted.includes(hint) || (join.kind === "many-to-many" && join.junction === hint));
  }
  if (byName) return true;
  return !relationship.targetIsView && [constraintOf(relationship), onlyColumn(relationship, 0)].includes(target);
}

function constraintOf({ join }: Relationship): string | undefined {
  return join.kind === "many-to-many" ? undefined : join.constraint;
}

/** The column of a key that has just one, on this side (0) or on the other (1). */
function onlyColumn({ join }: Relationship, side: 0 | 1): string | undefined {
  if (join.kind === "many-to-many" || join.columns.length !== 1) return undefined;
  return join.columns[0]?.[side];
}

function missing({ schema, origin, target, hint }: Wanted): Error {
  const using = hint === undefined ? "" : ` using the hint '${hint}'`;
  return answerWith(400, {
    code: "PGRST200",
    message: `Could not find a relationship between '${origin}' and '${target}' in the schema cache`,
    details:
      `Searched for a foreign key relationship between '${origin}' and '${target}'${using} in the schema '${schema}', ` +
      "but no matches were found.",
    hint: null,
  });
}

function ambiguous({ origin, target }: Wanted, found: readonly Relationship[]): Error {
  const choices = found.map((each) => `'${each.target}!${nameOf(each)}'`).join(", ");
  return answerWith(300, {
    code: "PGRST201",
    message: `Could not embed because more than one relationship was found for '${origin}' and '${target}'`,
    details: found.map(describe),
    hint: `Try changing '${target}' to one of the following: ${choices}. Find the desired relationship in the 'details' key.`,
  });
}

function nameOf({ join }: Relationship): string {
  return join.kind === "many-to-many" ? join.junction : join.constraint;
}

function describe({ table, target, join }: Relationship) {
  return { embedding: `${table} with ${target}`, cardinality: join.kind, relationship: explain(table, target, join) };
}

function explain(table: string, target: string, join: Relationship["join"]): string {
  if (join.kind === "many-to-many") {
    const [source, other] = [join.source, join.target].map(
      ({ constraint, columns }) => `${constraint}${list(columns.map(([, column]) => column))}`,
    );
    return `${join.junction} using ${source} and ${other}`;
  }
  const own = list(join.columns.map(([column]) => column));
  const others = list(join.columns.map(([, column]) => column));
  return `${join.constraint} using ${table}${own} and ${target}${others}`;
}

function list(columns: readonly string[]): string {
  return `(${columns.join(", ")})`;
}
