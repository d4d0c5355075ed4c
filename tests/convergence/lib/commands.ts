import fc from "fast-check";
import type { EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import type { CrmName } from "./fields.ts";
import { DEEDS, type Deed, anyEntity as entity, anyPick as pick } from "./people.ts";
import type { Blow } from "./worker.ts";

/** One thing that happens. */
export type Command =
  | Deed
  | { do: "undelete"; entity: EntityType; pick: number }
  | { do: "restore"; entity: EntityType; pick: number }
  | { do: "merge"; system: CrmName; entity: "accounts" | "contacts"; pick: number; other: number }
  | { do: "sync"; system: CrmName; blows: Blow[] }
  | { do: "trouble"; system: CrmName; trouble: Trouble };

export const TROUBLES = ["limited", "flaky", "lost_replies", "expired_token", "rotating_tokens", "search_lag"] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface Rules {
  strategy: "last_write_wins" | "crm_wins" | "app_wins" | "manual_review";
  deleteWhenDeleted: boolean;
  deleteInCrm: boolean;
  /** How far the CRM's clock is off, all the time: a clock that jumps back hides what it has stamped. */
  clockSkewMs: number;
}

export interface History {
  rules: Record<CrmName, Rules>;
  commands: Command[];
  /** For the jitter of back-offs. */
  seed: number;
}

const crm = fc.constantFrom<CrmName>("salesforce", "hubspot");

const blow = fc.record<Blow>({
  step: fc.integer({ min: 1, max: 40 }),
  what: fc.constantFrom("dies_before", "dies_after", "freezes_before", "freezes_after", "hears_it_again"),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  ...DEEDS,
  { weight: 1, arbitrary: fc.record({ do: fc.constant("undelete" as const), entity, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restore" as const), entity, pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("merge" as const),
      system: crm,
      entity: fc.constantFrom("accounts" as const, "contacts" as const),
      pick,
      other: pick,
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({ do: fc.constant("sync" as const), system: crm, blows: fc.array(blow, { maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("trouble" as const), system: crm, trouble: fc.constantFrom(...TROUBLES) }),
  },
);

const rules: fc.Arbitrary<Rules> = fc.record({
  strategy: fc.constantFrom("last_write_wins", "crm_wins", "app_wins", "manual_review"),
  deleteWhenDeleted: fc.boolean(),
  deleteInCrm: fc.boolean(),
  clockSkewMs: fc.constantFrom(0, 0, 90_000, -90_000),
});

export const history: fc.Arbitrary<History> = fc.record({
  rules: fc.record({ salesforce: rules, hubspot: rules }),
  commands: fc.array(command, { minLength: 6, maxLength: 24 }),
  seed: fc.integer(),
});
