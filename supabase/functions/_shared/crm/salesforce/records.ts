import type { CrmRecord, EntityType } from "../contract.ts";
import { malformed } from "../errors.ts";
import { CRM } from "./errors.ts";
import { id18, optionalId } from "./ids.ts";
import { OBJECTS } from "./objects.ts";
import type { Row } from "./query.ts";
import { identifier } from "./soql.ts";

interface Selection {
  known: ReadonlySet<string>;
  entity: EntityType;
}

export function columns({ entity, known }: Selection, fields: readonly string[], deletedToo: boolean): string[] {
  const { company, contact, stage } = OBJECTS[entity];
  const optional = ["OwnerId", company, contact, stage, deletedToo ? "MasterRecordId" : undefined, ...fields];
  const wanted = optional.filter((field): field is string => field !== undefined && known.has(field));
  return [...new Set(["Id", "SystemModstamp", "IsDeleted", ...wanted])].map(identifier);
}

export function toRecord(row: Row, entity: EntityType, fields: readonly string[]): CrmRecord {
  const { Id, SystemModstamp, IsDeleted } = row;
  if (typeof Id !== "string" || typeof SystemModstamp !== "string" || typeof IsDeleted !== "boolean") {
    throw malformed(CRM, "a row without Id, SystemModstamp or IsDeleted");
  }
  const { company, contact, stage } = OBJECTS[entity];
  return {
    id: id18(Id),
    modifiedAt: SystemModstamp.replace(/\+0000$/, "Z"),
    deleted: IsDeleted,
    mergedInto: optionalId(row.MasterRecordId),
    fields: Object.fromEntries(fields.flatMap((field) => (field in row ? [[field, row[field] ?? null]] : []))),
    ownerId: optionalId(row.OwnerId),
    ...relation("company", row, company),
    ...relation("contact", row, contact),
    ...(stage !== undefined && stage in row ? { stage: toStage(row[stage]) } : {}),
  };
}

/** What was not selected was not read, and must not look empty: a locator goes on with the fields of its first page. */
function relation(key: "company" | "contact", row: Row, field: string | undefined): Partial<CrmRecord> {
  return field !== undefined && field in row ? { [key]: optionalId(row[field]) } : {};
}

function toStage(value: unknown): CrmRecord["stage"] {
  return typeof value === "string" && value !== "" ? { pipeline: "", id: value } : null;
}
