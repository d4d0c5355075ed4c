import type { CrmField, CrmFilter, FilterPart, ReadPage, ReadRequest } from "./contract.ts";
import { failure } from "./errors.ts";
import { filterFields, isPart, matchesFilter } from "./filterMatch.ts";

/** How a provider asks its CRM for a filter. */
export interface Narrowing {
  /** False where the CRM is asked for more than the filter means: what it counts is then no count of matches. */
  exact: boolean;
}

/** Reads what the filter needs besides what was wanted, and keeps the records that fulfil it exactly. Deletions always pass. */
export async function filteredPage(
  request: ReadRequest,
  narrowing: Narrowing | undefined,
  read: (request: ReadRequest) => Promise<ReadPage>,
): Promise<ReadPage> {
  const { filter, fields } = request;
  if (filter === undefined || narrowing === undefined) return read(request);
  const page = await read({ ...request, fields: [...new Set([...fields, ...filterFields(filter)])] });
  return {
    ...page,
    records: page.records.filter((record) => record.deleted || matchesFilter(filter, record)),
    total: narrowing.exact ? page.total : null,
    missingFields: page.missingFields.filter((name) => fields.includes(name)),
  };
}

/** A condition's field as the CRM describes it, under the CRM's own name. Nothing else ever gets into a query. */
export function describedField(
  crm: string,
  fields: ReadonlyMap<string, CrmField>,
  parts: Partial<Record<FilterPart, string>>,
  name: string,
): CrmField | null {
  const real = isPart(name) ? parts[name] : name;
  if (real === undefined) return null;
  const field = fields.get(real);
  if (field !== undefined) return field;
  throw failure(
    "rejected",
    "filter_field_missing",
    `The filter asks for the field ${JSON.stringify(real.slice(0, 80))}, which ${crm} does not have. Nothing was read; change the filter or the mapping behind it.`,
  );
}

export type Leaf = Extract<CrmFilter, { field: string }>;
