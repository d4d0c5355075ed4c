import type { CrmField, EntityType, ProviderId } from "../../crm/contract.ts";
import { appField } from "../appFields.ts";
import { formatSource, sourceParts } from "../mapping/source.ts";
import { customName, guesses } from "./autoMap.ts";
import { HUBSPOT_PAIRS } from "./hubspot.ts";
import type { KnownPair, KnownPairs, ProposedMapping } from "./rows.ts";
import { SALESFORCE_PAIRS } from "./salesforce.ts";

const KNOWN: Record<ProviderId, KnownPairs> = { salesforce: SALESFORCE_PAIRS, hubspot: HUBSPOT_PAIRS };

const CUSTOM_CONFIDENCE = 0.6;
/** More would make a query longer than Salesforce takes in an address; the rest can be mapped by hand. */
const CUSTOM_MAX = 60;

/** A guess about which we are less sure than this is for a person to look at, not for a connection to begin with. */
const SURE_ENOUGH = 0.6;
/** Nothing is proposed below. */
const WORTH_A_LOOK = 0.4;

/** What to map when an account is connected: only fields that the CRM shows, each with how sure we are and why. */
export function defaultMappings(
  provider: ProviderId,
  entity: EntityType,
  fields: readonly CrmField[],
): ProposedMapping[] {
  return proposed(provider, new Proposer(entity, fields, []), SURE_ENOUGH);
}

/** What else could be mapped: nothing that a mapping has already, be it switched off. The surest first. */
export function autoMap(
  provider: ProviderId,
  entity: EntityType,
  fields: readonly CrmField[],
  existing: readonly ExistingMapping[],
): ProposedMapping[] {
  const rows = existing.filter((row) => row.entity_type === entity);
  const found = proposed(provider, new Proposer(entity, fields, rows), WORTH_A_LOOK);
  return found.sort((a, b) => b.confidence - a.confidence || compare(a.app_field, b.app_field));
}

export type ExistingMapping = Pick<ProposedMapping, "entity_type" | "crm_field" | "app_field" | "sync_direction">;

function proposed(provider: ProviderId, proposer: Proposer, atLeast: number): ProposedMapping[] {
  for (const pair of KNOWN[provider][proposer.entity]) proposer.addKnown(pair);
  proposer.addGuesses(atLeast);
  proposer.addCustoms();
  return proposer.rows;
}

function fieldsOf(rows: readonly ExistingMapping[]): string[] {
  return rows.flatMap((row) => sourceParts(row.crm_field).map(({ field }) => field));
}

/** By code unit: the same everywhere, whatever the language of the machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Proposals so far; a column of ours and a field of theirs are used once, but for the pairs we know. */
class Proposer {
  readonly rows: ProposedMapping[] = [];
  readonly entity: EntityType;
  readonly #fields: readonly CrmField[];
  readonly #byName: ReadonlyMap<string, CrmField>;
  readonly #usedFields: Set<string>;
  /** Those that a mapping may write to, or that a person has switched off. */
  readonly #heldFields: ReadonlySet<string>;
  readonly #usedColumns: Set<string>;

  constructor(entity: EntityType, fields: readonly CrmField[], existing: readonly ExistingMapping[]) {
    this.entity = entity;
    this.#fields = fields;
    this.#byName = new Map(fields.map((field) => [field.name.toLowerCase(), field]));
    this.#usedFields = new Set(fieldsOf(existing));
    this.#heldFields = new Set(fieldsOf(existing.filter((row) => row.sync_direction !== "pull")));
    this.#usedColumns = new Set(existing.map((row) => row.app_field));
  }

  addKnown({ crm, app, pull }: KnownPair): void {
    const reason = "Standard field with a column of its own";
    const parts = typeof crm === "string" ? { whole: crm } : crm;
    const found = Object.entries(parts).flatMap(([part, name]) => {
      const field = this.#byName.get(name.toLowerCase());
      return field === undefined ? [] : [[part, field] as const];
    });
    const [first] = found;
    if (first === undefined || this.#usedColumns.has(app)) return;
    // What only comes from the CRM may come twice.
    if (pull !== true && found.some(([, field]) => this.#heldFields.has(field.name))) return;
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

  /** The surest pair first, so that the order of the CRM's fields decides nothing. */
  addGuesses(atLeast: number): void {
    const pairs = this.#fields.flatMap((field) => guesses(this.entity, field).map((guess) => ({ field, guess })));
    const ranked = pairs.sort(
      (a, b) =>
        b.guess.confidence - a.guess.confidence ||
        compare(a.field.name, b.field.name) ||
        compare(a.guess.app, b.guess.app),
    );
    for (const { field, guess } of ranked) {
      const enough = field.custom ? Math.max(atLeast, CUSTOM_CONFIDENCE) : atLeast;
      const free = !this.#usedFields.has(field.name) && !this.#usedColumns.has(guess.app);
      if (free && guess.confidence >= enough) this.#add(field, guess.app, guess.confidence, guess.reason);
    }
  }

  addCustoms(): void {
    const room = CUSTOM_MAX - [...this.#usedColumns].filter((column) => column.startsWith("custom_fields.")).length;
    const free = this.#fields.filter((field) => field.custom && !this.#usedFields.has(field.name));
    for (const field of free.slice(0, Math.max(0, room))) {
      this.#add(
        field,
        this.#customTarget(field),
        CUSTOM_CONFIDENCE,
        "Custom field of your CRM, kept under its own name",
      );
    }
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
    const column = appField(this.entity, app);
    this.rows.push({
      entity_type: this.entity,
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
