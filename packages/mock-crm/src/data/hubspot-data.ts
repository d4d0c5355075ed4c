import type { HubRecord } from "../hubspot/record.ts";
import type { HubSpotData } from "../hubspot/store.ts";
import { DEFAULT_DATA_FOLDER } from "./csv.ts";
import { generatedPortal } from "./generated-hubspot.ts";
import { hubspotDemo } from "./hubspot-demo.ts";
import { type HubKind, hubRecord } from "./hubspot-records.ts";
import { readMaven } from "./maven-files.ts";
import { type SizeOptions, sizesOf } from "./sizes.ts";

export interface HubSpotDataOptions extends SizeOptions {
  data?: "demo" | "generated";
  seed?: number;
  /** Adds records that a sync must reject one by one: a 300-character name, a missing name. */
  dirty?: boolean;
  dataFolder?: string;
}

const DATA_SETS = {
  demo: (options: HubSpotDataOptions) =>
    hubspotDemo(readMaven(options.dataFolder ?? DEFAULT_DATA_FOLDER), options.seed ?? 1),
  generated: (options: HubSpotDataOptions) => generatedPortal(sizesOf(options), options.seed ?? 1),
};

export function loadHubSpotData(options: HubSpotDataOptions): HubSpotData {
  const data = DATA_SETS[options.data ?? "demo"](options);
  return options.dirty === true ? { ...data, records: withDirtyRecords(data.records) } : data;
}

/** Only the first so many deals, and no tie to another. */
export function withDeals(data: HubSpotData, most = Number.POSITIVE_INFINITY): HubSpotData {
  const deals = data.records.deals.slice(0, most);
  const kept = new Set(deals.map(({ id }) => id));
  const isThere = (kind: string, id: string) => kind !== "deals" || kept.has(id);
  const ties = data.ties.filter(([from, fromId, to, toId]) => isThere(from, fromId) && isThere(to, toId));
  return { ...data, records: { ...data.records, deals }, ties };
}

function withDirtyRecords(records: HubSpotData["records"]): HubSpotData["records"] {
  const long = "x".repeat(300);
  const appended = (kind: HubKind, extra: readonly Record<string, string>[]): HubRecord[] => [
    ...records[kind],
    ...extra.map((values, at) => hubRecord(kind, records[kind].length + at, values)),
  ];
  return {
    companies: appended("companies", [{ name: long, domain: "long-name.example" }, { domain: "nameless.example" }]),
    contacts: appended("contacts", [{ lastname: long, email: "long.name@dirty.example" }, { jobtitle: "Nobody" }]),
    deals: appended("deals", [
      { dealname: long, dealstage: "closedwon" },
      { dealstage: "closedwon", amount: "10" },
    ]),
  };
}
