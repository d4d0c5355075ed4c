import { DEAL_STAGES, DEFAULT_PIPELINE } from "../hubspot/schema/pipelines.ts";
import type { HubSpotData } from "../hubspot/store.ts";
import { between, createRandom, pick } from "../shared/random.ts";
import { hubId, hubRecord, OWNERS } from "./hubspot-records.ts";
import { Companies, People } from "./people.ts";
import type { Sizes } from "./sizes.ts";

/** An account of any size, the same for one seed. */
export function generatedPortal(sizes: Sizes, seed: number): HubSpotData {
  const random = createRandom(seed);
  const people = new People(seed, random);
  const source = new Companies(seed);
  const owner = () => pick(random, OWNERS).id;
  const indexes = (count: number) => Array.from({ length: count }, (_none, at) => at);
  const domains: string[] = [];
  const companies = indexes(sizes.companies).map((at) => {
    const { name, domain, city, country } = source.next(at);
    domains.push(domain);
    return hubRecord("companies", at, { name, domain, city, country, hubspot_owner_id: owner() });
  });
  const contacts = indexes(sizes.contacts).map((at) => {
    const { firstName, lastName, email, title, phone } = people.next(
      domains[at % Math.max(1, domains.length)] ?? "people.example",
    );
    const values = {
      firstname: firstName,
      lastname: lastName,
      email,
      jobtitle: title,
      phone,
      hubspot_owner_id: owner(),
    };
    return hubRecord("contacts", at, values);
  });
  const deals = indexes(sizes.deals).map((at) => {
    const amount = String(between(random, 1, 400) * 500);
    const dealstage = pick(random, DEAL_STAGES).id;
    const values = {
      dealname: `Deal ${at + 1}`,
      dealstage,
      pipeline: DEFAULT_PIPELINE,
      amount,
      hubspot_owner_id: owner(),
    };
    return hubRecord("deals", at, values);
  });
  return { owners: OWNERS, records: { companies, contacts, deals }, ties: tiesTo(sizes) };
}

function tiesTo(sizes: Sizes): HubSpotData["ties"] {
  if (sizes.companies === 0) return [];
  const toCompany = (kind: "contacts" | "deals", count: number) =>
    Array.from({ length: count }, (_none, at) => {
      return [kind, hubId(kind, at), "companies", hubId("companies", at % sizes.companies)] as const;
    });
  return [...toCompany("contacts", sizes.contacts), ...toCompany("deals", sizes.deals)];
}
