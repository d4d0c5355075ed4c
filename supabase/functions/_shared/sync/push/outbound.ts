import type { EntityType } from "../../crm/contract.ts";
import { compileOutbound, goingOut, type OutboundPlan } from "../mapping/outbound.ts";
import type { MappingPlan } from "../mapping/plan.ts";
import { missingFields, noteMissing } from "../missing.ts";
import { planFor, rulesFor } from "../plan.ts";
import { waiting } from "../prepare.ts";
import { patiently } from "../retry.ts";
import type { Slice } from "../slice.ts";
import { atMost } from "./atMost.ts";

/** What pushing an entity needs to know, once per slice. */
export interface Outbound {
  entity: EntityType;
  /** How the CRM's records are read, to look at them before they are changed. */
  inbound: MappingPlan;
  plan: OutboundPlan;
  /** A unique field of the CRM that carries our id. */
  externalIdField: string | undefined;
  /** Lets a call that writes go out, once no more of them are under way than the CRM bears. */
  writing: ReturnType<typeof atMost>;
}

export async function outboundOf(slice: Slice, entity: EntityType): Promise<Outbound> {
  const { claim, crm, session } = slice;
  const fields = await patiently(waiting(slice), () => session.use((one) => crm.describe(one, entity)));
  const options = rulesFor(slice, entity);
  const pushed = goingOut(entity, claim.mappings, options);
  await noteMissing(slice, entity, missingFields(pushed, fields));
  return {
    entity,
    inbound: await planFor(slice, entity),
    plan: compileOutbound(entity, claim.mappings, claim.stages, fields, options),
    externalIdField: externalIdField(slice, entity),
    writing: atMost(crm.atOnce.writes),
  };
}

function externalIdField({ claim }: Slice, entity: EntityType): string | undefined {
  const rules = claim.settings.sync_rules?.[entity];
  if (typeof rules !== "object" || rules === null || !("external_id_field" in rules)) return undefined;
  const { external_id_field: name } = rules;
  return typeof name === "string" && name !== "" ? name : undefined;
}
