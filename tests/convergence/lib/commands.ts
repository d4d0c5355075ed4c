import fc from "fast-check";
import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import type { CrmName, SystemName } from "./fields.ts";
import type { Death } from "./worker.ts";

/** One thing that happens. `pick` chooses among the records there are, so every history is possible on every state. */
export type Command =
  | { do: "create"; system: SystemName; entity: EntityType; field: number }
  | { do: "edit"; system: SystemName; entity: EntityType; pick: number; field: number }
  | { do: "remove"; system: SystemName; entity: EntityType; pick: number }
  | { do: "undelete"; entity: EntityType; pick: number }
  | { do: "restore"; entity: EntityType; pick: number }
  | { do: "merge"; system: CrmName; entity: "accounts" | "contacts"; pick: number; other: number }
  | { do: "sync"; system: CrmName; deaths: Death[] }
  | { do: "trouble"; system: CrmName; trouble: Trouble };

export const TROUBLES = ["limited", "flaky", "lost_replies", "expired_token", "rotating_tokens", "search_lag", "clock_ahead", "clock_behind"] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface Rules {
  strategy: "last_write_wins" | "crm_wins" | "app_wins" | "manual_review";
  deleteWhenDeleted: boolean;
  deleteInCrm: boolean;
}

export interface History {
  rules: Record<CrmName, Rules>;
  commands: Command[];
  /** For the jitter of back-offs. */
  seed: number;
}

const entity = fc.constantFrom(...ENTITY_TYPES);
const crm = fc.constantFrom<CrmName>("salesforce", "hubspot");
const system = fc.constantFrom<SystemName>("app", "app", "salesforce", "hubspot");
const pick = fc.nat({ max: 50 });
const field = fc.nat({ max: 1 });

const death = fc.record<Death>({
  step: fc.integer({ min: 1, max: 40 }),
  when: fc.constantFrom("before", "after"),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("create" as const), system, entity, field }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("edit" as const), system, entity, pick, field }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), system, entity, pick }) },
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
    arbitrary: fc.record({ do: fc.constant("sync" as const), system: crm, deaths: fc.array(death, { maxLength: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("trouble" as const), system: crm, trouble: fc.constantFrom(...TROUBLES) }) },
);

const rules: fc.Arbitrary<Rules> = fc.record({
  strategy: fc.constantFrom("last_write_wins", "crm_wins", "app_wins", "manual_review"),
  deleteWhenDeleted: fc.boolean(),
  deleteInCrm: fc.boolean(),
});

export const history: fc.Arbitrary<History> = fc.record({
  rules: fc.record({ salesforce: rules, hubspot: rules }),
  commands: fc.array(command, { minLength: 6, maxLength: 24 }),
  seed: fc.integer(),
});
