import type { EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import type { SystemName } from "./fields.ts";

/** An edit by a person, somewhere. Every value is written once only, so a value stands for its edit. */
export interface Edit {
  entity: EntityType;
  marker: string;
  field: string;
  value: string;
  by: SystemName;
}

/** What people did, for telling at the end whether anything of it was lost. */
export class Ledger {
  readonly edits: Edit[] = [];
  readonly #replaced = new Set<string>();
  /** Records that somebody deleted or merged in any system: whether they live on is a matter of the rules. */
  readonly #touched = new Map<string, Set<SystemName>>();
  readonly #restored = new Set<string>();
  readonly #companies = new Map<string, string>();
  #numbers = 0;

  next(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** `seen`: what the system showed when the person wrote over it. That value was not lost but changed. */
  edited(edit: Edit, seen: string | null): void {
    this.edits.push(edit);
    if (seen !== null) this.#replaced.add(seen);
  }

  /** A contact that began under a company goes its company's way: Salesforce deletes the two together. */
  under(marker: string, company: string): void {
    this.#companies.set(marker, company);
  }

  removed(marker: string, by: SystemName): void {
    this.#touched.set(marker, new Set([...this.removers(marker), by]));
  }

  restored(marker: string): void {
    this.#restored.add(marker);
  }

  /** Where somebody removed it, or what it belongs to. */
  removers(marker: string): ReadonlySet<SystemName> {
    const company = this.#companies.get(marker) ?? "";
    return new Set([...(this.#touched.get(marker) ?? []), ...(this.#touched.get(company) ?? [])]);
  }

  wasRestored(marker: string): boolean {
    return this.#restored.has(marker);
  }

  isTouchy(marker: string): boolean {
    return this.removers(marker).size > 0;
  }

  /** Edits that nobody knowingly wrote over. */
  standing(): Edit[] {
    return this.edits.filter((edit) => !this.#replaced.has(edit.value) && !this.isTouchy(edit.marker));
  }

  /** Edits that somebody knowingly wrote over: such a value must not come back by itself. */
  outdated(): Edit[] {
    return this.edits.filter((edit) => this.#replaced.has(edit.value) && !this.isTouchy(edit.marker));
  }
}
