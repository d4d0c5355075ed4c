import fc from "fast-check";
import type { EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { type Blow, moment } from "./fate.ts";
import type { CrmName } from "./fields.ts";
import { meddling } from "./meddling.ts";
import { DEEDS, type Deed, anyEntity as entity, type Merging, merging, anyPick as pick } from "./people.ts";

/** One thing that happens. */
export type Command =
  | Deed
  | { do: "undelete"; entity: EntityType; pick: number }
  | { do: "restore"; entity: EntityType; pick: number }
  | ({ do: "merge" } & Merging)
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

const blow: fc.Arbitrary<Blow> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.integer({ min: 1, max: 40 }),
      what: fc.constantFrom("dies_before", "dies_after", "freezes_before", "freezes_after", "hears_it_again"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ step: fc.integer({ min: 1, max: 10 }), what: fc.constant("hears_late" as const) }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant("meddles" as const), before: moment, does: meddling }) },
);

const command: fc.Arbitrary<Command> = fc.oneof(
  ...DEEDS,
  { weight: 1, arbitrary: fc.record({ do: fc.constant("undelete" as const), entity, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restore" as const), entity, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("merge" as const), ...merging }) },
  {
    weight: 7,
    arbitrary: fc.record({ do: fc.constant("sync" as const), system: crm, blows: fc.array(blow, { maxLength: 4 }) }),
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
