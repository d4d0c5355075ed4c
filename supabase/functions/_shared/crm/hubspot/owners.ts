import type { PublicOwner } from "@hubspot/api-client/lib/codegen/crm/owners/models/PublicOwner.js";
import type { CrmOwner } from "../contract.ts";
import { malformed } from "../errors.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";

const PAGE = 100;

/** The archived ones too: their records keep their name. */
export async function readOwners(client: HubSpotClient): Promise<CrmOwner[]> {
  const current = await fetchOwners(client, false);
  const known = new Set(current.map((owner) => owner.id));
  const former = (await fetchOwners(client, true)).filter((owner) => !known.has(owner.id));
  return [...current, ...former];
}

async function fetchOwners(client: HubSpotClient, archived: boolean): Promise<CrmOwner[]> {
  const owners: CrmOwner[] = [];
  let after: string | undefined;
  do {
    const answer = await call(() => client.owners.getPage(undefined, after, PAGE, archived));
    if (!Array.isArray(answer.results)) throw malformed(CRM, "a list of owners without results");
    owners.push(...answer.results.map((owner) => toOwner(owner, !archived)));
    after = answer.paging?.next?.after;
  } while (after !== undefined);
  return owners;
}

function toOwner(owner: PublicOwner, active: boolean): CrmOwner {
  const name = [owner.firstName, owner.lastName].filter(Boolean).join(" ");
  return { id: owner.id, email: owner.email ?? null, name: name || owner.email || `Owner ${owner.id}`, active };
}
