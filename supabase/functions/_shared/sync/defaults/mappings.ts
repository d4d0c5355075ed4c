import type { CrmField, EntityType, ProviderId } from "../../crm/contract.ts";
import { appField } from "../appFields.ts";
import { formatSource } from "../mapping/source.ts";
import { customName, guess } from "./autoMap.ts";
import { HUBSPOT_PAIRS } from "./hubspot.ts";
import type { KnownPair, KnownPairs, ProposedMapping } from "./rows.ts";
import { SALESFORCE_PAIRS } from "./salesforce.ts";

const KNOWN: Record<ProviderId, KnownPairs> = { salesforce: SALESFORCE_PAIRS, hubspot: HUBSPOT_PAIRS };

const CUSTOM_CONFIDENCE = 0.6;
/** More would make a query longer than Salesforce takes in an address; the rest can be mapped by hand. */
const CUSTOM_MAX = 60;

/** What to map when an account is connected: only fields that the CRM shows, each with how sure we are and why. */
export function defaultMappings(
  provider: ProviderId,
  entity: EntityType,
  fields: readonly CrmField[],
): ProposedMapping[] {
  const proposer = new Proposer(entity, fields);
  for (const pair of KNOWN[provider][entity]) proposer.addKnown(pair);
  for (const field of fields) proposer.addGuess(field);
  for (const field of fields) proposer.addCustom(field);
  return proposer.rows;
}

/** Proposals so far; a column of ours and a field of theirs are used once, but for the pairs we know. */
class Proposer {
  readonly rows: ProposedMapping[] = [];
  readonly #entity: EntityType;
  readonly #byName: ReadonlyMap<string, CrmField>;
  readonly #usedFields = new Set<string>();
  readonly #usedColumns = new Set<string>();
  #customs = 0;

  constructor(entity: EntityType, fields: readonly CrmField[]) {
    this.#entity = entity;
    this.#byName = new Map(fields.map((field) => [field.name.toLowerCase(), field]));
  }

  addKnown({ crm, app, pull }: KnownPair): void {
    const reason = "Standard field with a column of its own";
    const parts = typeof crm === "string" ? { whole: crm } : crm;
    const found = Object.entries(parts).flatMap(([part, name]) => {
      const field = this.#byName.get(name.toLowerCase());
      return field === undefined ? [] : [[part, field] as const];
    });
    const [first] = found;
    if (first === undefined) return;
    const readOnly = pull === true || found.some(([, field]) => field.readOnly);
    const source =
      typeof crm === "string"
        ? { name: first[1].name, type: first[1].type, readOnly }
        : {
            name: formatSource(Object.fromEntries(found.map(([part, field]) => [part, field.name]))),
            type: "object" as const,
            readOnly,
          };
    this.#add(source, app, 1, reason);
    for (const [, field] of found) this.#usedFields.add(field.name);
  }

  addGuess(field: CrmField): void {
    if (this.#usedFields.has(field.name)) return;
    const best = guess(this.#entity, field, this.#usedColumns);
    if (best !== null) this.#add(field, best.app, best.confidence, best.reason);
  }

  addCustom(field: CrmField): void {
    if (!field.custom || this.#usedFields.has(field.name) || this.#customs >= CUSTOM_MAX) return;
    this.#customs += 1;
    this.#add(field, this.#customTarget(field), CUSTOM_CONFIDENCE, "Custom field of your CRM, kept under its own name");
  }

  #customTarget(field: CrmField): string {
    const name = `custom_fields.${customName(field)}`;
    let target = name;
    for (let suffix = 2; this.#usedColumns.has(target); suffix += 1) target = `${name}_${suffix}`;
    return target;
  }

  #add(field: Pick<CrmField, "name" | "type" | "readOnly">, app: string, confidence: number, reason: string): void {
    this.#usedFields.add(field.name);
    this.#usedColumns.add(app);
    const column = appField(this.#entity, app);
    this.rows.push({
      entity_type: this.#entity,
      crm_field: field.name,
      app_field: app,
      data_type: field.type,
      sync_direction: field.readOnly ? "pull" : "bidirectional",
      is_required: column !== null && column !== "custom" && column.required === true,
      confidence,
      reason,
    });
  }
}
