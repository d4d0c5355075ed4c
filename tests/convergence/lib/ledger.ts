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
  readonly touchy = new Set<string>();
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

  /** A record that a person removed takes the values along that they saw on it. */
  removed(marker: string, values: Readonly<Record<string, string | null>>): void {
    this.touchy.add(marker);
    for (const value of Object.values(values)) if (value !== null) this.#replaced.add(value);
  }

  /** Edits that nobody knowingly wrote over. */
  standing(): Edit[] {
    return this.edits.filter((edit) => !this.#replaced.has(edit.value) && !this.touchy.has(edit.marker));
  }
}
