import type { CrmProvider, ProviderDeps, ProviderId } from "./contract.ts";
import { createHubSpot } from "./hubspot/provider.ts";
import { createSalesforce } from "./salesforce/provider.ts";

const factories = {
  salesforce: createSalesforce,
  hubspot: createHubSpot,
} as const satisfies Record<ProviderId, (deps: ProviderDeps) => CrmProvider>;

export function createProvider(id: ProviderId, deps: ProviderDeps): CrmProvider {
  return factories[id](deps);
}
