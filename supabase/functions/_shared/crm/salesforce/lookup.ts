import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import type { EntityType, LookupRequest } from "../contract.ts";
import { malformed } from "../errors.ts";
import { assign, earliest, type FoundRecord } from "../lookup.ts";
import { CRM } from "./errors.ts";
import { id18 } from "./ids.ts";
import { OBJECTS } from "./objects.ts";
import { queryAll, type Row } from "./query.ts";
import { dateTime, identifier, listsFor } from "./soql.ts";

const COLUMNS: Record<EntityType, readonly string[]> = {
  accounts: ["Name", "Website"],
  contacts: ["Name", "Email"],
  opportunities: ["Name"],
};

const rowSchema = z.object({
  Id: z.string().min(15),
  CreatedDate: z.string(),
  Name: z.string().nullish(),
  Website: z.string().nullish(),
  Email: z.string().nullish(),
});

/** Our id settles it; else what was created since and agrees in e-mail, or in name and website. */
export async function lookUp(
  connection: Connection,
  request: LookupRequest,
  known: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const { entity, candidates, externalIdField } = request;
  const marker = externalIdField !== undefined && known.has(externalIdField) ? externalIdField : undefined;
  const columns = [
    "Id",
    "CreatedDate",
    ...COLUMNS[entity].filter((name) => known.has(name)),
    ...(marker ? [marker] : []),
  ];
  const select = `SELECT ${[...new Set(columns)].map(identifier).join(", ")} FROM ${OBJECTS[entity].name} WHERE `;
  const found = new Map<string, FoundRecord>();
  for (const { start, values } of conditions(request, marker, known)) {
    for (const list of listsFor(select + start, values)) {
      const rows = await queryAll(connection, `${select}${start}${list})`);
      for (const record of rows.map((row) => toFound(row, marker))) found.set(record.id, record);
    }
  }
  return assign(candidates, [...found.values()]);
}

interface Condition {
  /** Up to the opening bracket of the list. */
  start: string;
  values: string[];
}

function conditions(request: LookupRequest, marker: string | undefined, known: ReadonlySet<string>): Condition[] {
  const marked = request.candidates.filter((candidate) => marker !== undefined && candidate.externalId !== undefined);
  const others = request.candidates.filter((candidate) => !marked.includes(candidate));
  const byMarker = { start: `${marker} IN (`, values: marked.flatMap(({ externalId }) => externalId ?? []) };
  if (others.length === 0) return [byMarker];
  const since = `CreatedDate >= ${dateTime(earliest(others))} AND `;
  const byEmail = others.filter(({ email }) => email !== undefined && known.has("Email"));
  const byName = others.filter((candidate) => !byEmail.includes(candidate));
  return [
    byMarker,
    { start: `${since}Email IN (`, values: byEmail.flatMap(({ email }) => email ?? []) },
    { start: `${since}Name IN (`, values: byName.flatMap(({ name }) => name ?? []) },
  ];
}

function toFound(row: Row, marker: string | undefined): FoundRecord {
  const parsed = rowSchema.safeParse(row);
  if (!parsed.success) throw malformed(CRM, z.prettifyError(parsed.error));
  const { Id, CreatedDate, Name, Website, Email } = parsed.data;
  const externalId = marker === undefined ? null : row[marker];
  return {
    id: id18(Id),
    createdAt: CreatedDate,
    ...(marker === undefined ? {} : { externalId: externalId == null ? null : String(externalId) }),
    email: Email,
    website: Website,
    name: Name,
  };
}
