import { makeId } from "../salesforce/ids.ts";
import { MAVEN_STAGES, STANDARD_STAGES, type StageDef } from "../salesforce/schema/stages.ts";
import type { SalesforceData, Values } from "../salesforce/store.ts";
import { DEFAULT_DATA_FOLDER } from "./csv.ts";
import { generatedOrg } from "./generated-salesforce.ts";
import { auditOf } from "./import-times.ts";
import { mavenOrg } from "./maven.ts";
import { readMaven } from "./maven-files.ts";
import { INTEGRATION_USER_ID } from "./salesforce-setup.ts";
import { type SizeOptions, sizesOf } from "./sizes.ts";

export interface SalesforceDataOptions extends SizeOptions {
  data?: "maven" | "generated";
  seed?: number;
  /** Adds rows that a sync must reject one by one: a 300-character name, a missing required field. */
  dirty?: boolean;
  dataFolder?: string;
}

export interface SalesforceDataSet {
  rows: SalesforceData;
  stages: readonly StageDef[];
  userId: string;
}

const DATA_SETS = { maven: loadMaven, generated: loadGenerated };

export function loadSalesforceData(options: SalesforceDataOptions): SalesforceDataSet {
  const set = DATA_SETS[options.data ?? "maven"](options);
  return options.dirty === true ? { ...set, rows: withDirtyRows(set.rows) } : set;
}

function loadMaven(options: SalesforceDataOptions): SalesforceDataSet {
  const files = readMaven(options.dataFolder ?? DEFAULT_DATA_FOLDER);
  return { rows: mavenOrg(files, options.seed ?? 1), stages: MAVEN_STAGES, userId: INTEGRATION_USER_ID };
}

function loadGenerated(options: SalesforceDataOptions): SalesforceDataSet {
  const rows = generatedOrg(sizesOf(options), options.seed ?? 1);
  return { rows, stages: STANDARD_STAGES, userId: INTEGRATION_USER_ID };
}

function withDirtyRows(rows: SalesforceData): SalesforceData {
  const long = "x".repeat(300);
  return {
    ...rows,
    Account: appended(rows.Account, "001", [{ Name: long }, { Name: null, Website: "https://nameless.example" }]),
    Contact: appended(rows.Contact, "003", [
      { LastName: long, Email: "long.name@dirty.example" },
      { LastName: null, Email: null },
    ]),
    Opportunity: appended(rows.Opportunity, "006", [
      { Name: long, StageName: "Prospecting" },
      { Name: null, StageName: "Prospecting" },
    ]),
  };
}

function appended(rows: readonly Values[] = [], keyPrefix: string, extra: readonly Values[]): Values[] {
  const added = extra.map((values, at) => ({
    ...values,
    Id: makeId(keyPrefix, rows.length + at + 1),
    OwnerId: INTEGRATION_USER_ID,
    ...auditOf(rows.length + at, INTEGRATION_USER_ID),
  }));
  return [...rows, ...added];
}
