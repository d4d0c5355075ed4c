import { describe, expect, it } from "vitest";
import { loadHubSpotData } from "../src/data/hubspot-data.ts";
import { loadSalesforceData } from "../src/data/salesforce-data.ts";
import type { Values } from "../src/salesforce/store.ts";
import { salesforce } from "./support.ts";

const maven = loadSalesforceData({ data: "maven" }).rows;
const demo = loadHubSpotData({});
const rows = (object: string): readonly Values[] => maven[object] ?? [];
const counted = (values: readonly unknown[]) => {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
};

describe("Maven data in Salesforce", () => {
  it("has the true totals, read through the API", async () => {
    const { connection } = await salesforce({ data: "maven" });
    const count = async (from: string) => (await connection.query(`SELECT COUNT() FROM ${from}`)).totalSize;
    expect(await count("Account")).toBe(85);
    expect(await count("Opportunity")).toBe(8800);
    const stages = ["Won", "Lost", "Engaging", "Prospecting"];
    const byStage = await Promise.all(stages.map((stage) => count(`Opportunity WHERE StageName = '${stage}'`)));
    expect(byStage).toEqual([4238, 2473, 1589, 500]);
    expect(await count("Opportunity WHERE AccountId = null")).toBe(1425);
    const won = connection.query<{ Amount: number }>("SELECT Amount FROM Opportunity WHERE IsWon = true", {
      autoFetch: true,
      maxFetch: 9000,
    });
    expect((await won).records.reduce((sum, record) => sum + record.Amount, 0)).toBe(10_005_534);
  });

  it("is loaded as it is: misspellings and gaps stay", () => {
    expect(rows("Opportunity").filter((row) => row.Product__c === "GTXPro")).toHaveLength(1480);
    expect(rows("Account").filter((row) => row.Industry === "technolgy")).toHaveLength(12);
    expect(rows("Opportunity").filter((row) => row.CloseDate === null)).toHaveLength(2089);
    expect(rows("Opportunity").filter((row) => row.Engage_Date__c === null)).toHaveLength(500);
    expect(rows("Account").filter((row) => row.ParentId !== null)).toHaveLength(15);
  });

  it("knows the sales team with its managers", () => {
    const users = rows("User");
    expect(users.filter((user) => user.Title === "Sales Agent")).toHaveLength(35);
    expect(users.filter((user) => user.Title === "Sales Manager")).toHaveLength(6);
    expect(users.filter((user) => user.Title === "Sales Agent" && user.ManagerId === null)).toHaveLength(0);
  });

  it("has two to four contacts at each account; two of all share one mailbox", () => {
    const perAccount = counted(rows("Contact").map((contact) => contact.AccountId));
    expect(perAccount.size).toBe(85);
    expect([...perAccount.values()].every((count) => count >= 2 && count <= 4)).toBe(true);
    const perAddress = counted(rows("Contact").map((contact) => contact.Email));
    expect([...perAddress.values()].filter((count) => count > 1)).toEqual([2]);
  });
});

describe("demo data in HubSpot", () => {
  const properties = (kind: "companies" | "contacts" | "deals") =>
    demo.records[kind].map((record) => record.properties);
  const accountDomains = new Set(
    rows("Account").map((row) => new URL(String(row.Website)).hostname.replace("www.", "")),
  );
  const salesforceAddresses = counted(rows("Contact").map((row) => row.Email));

  it("has its own sizes", () => {
    expect([demo.records.companies.length, demo.records.contacts.length, demo.records.deals.length]).toEqual([
      120, 300, 150,
    ]);
  });

  it("shares forty companies by domain; one domain is claimed by two", () => {
    const shared = properties("companies").filter((company) => accountDomains.has(company.domain ?? ""));
    expect(shared).toHaveLength(40);
    expect([...counted(shared.map((company) => company.domain)).values()].filter((count) => count === 2)).toHaveLength(
      1,
    );
  });

  it("shares sixty people by e-mail; one of them is two people in Salesforce", () => {
    const shared = properties("contacts").filter((contact) => salesforceAddresses.has(contact.email));
    expect(shared).toHaveLength(60);
    expect(shared.filter((contact) => salesforceAddresses.get(contact.email) === 2)).toHaveLength(1);
  });

  it("spreads deals over the seven stages, one without a company, one without an amount", () => {
    expect(counted(properties("deals").map((deal) => deal.dealstage)).size).toBe(7);
    expect(properties("deals").filter((deal) => deal.amount === undefined)).toHaveLength(1);
    const tied = new Set(
      demo.ties.filter(([from, , to]) => from === "deals" && to === "companies").map(([, id]) => id),
    );
    expect(tied.size).toBe(149);
  });

  it("has half-filled people", () => {
    const contacts = properties("contacts");
    expect(contacts.filter((contact) => contact.lastname === undefined)).toHaveLength(2);
    expect(contacts.filter((contact) => contact.email === undefined)).toHaveLength(1);
  });
});

describe("generated data", () => {
  it("is the same for one seed and another for another", () => {
    const load = (seed: number) => [
      loadSalesforceData({ data: "generated", records: 300, seed }),
      loadHubSpotData({ data: "generated", records: 300, seed }),
    ];
    expect(load(5)).toEqual(load(5));
    expect(load(5)).not.toEqual(load(6));
    expect([loadSalesforceData({ seed: 2 }), loadHubSpotData({ seed: 2 })]).toEqual([
      loadSalesforceData({ seed: 2 }),
      loadHubSpotData({ seed: 2 }),
    ]);
  });

  it("makes 100,000 contacts, each with an address of their own", () => {
    const contacts = loadSalesforceData({ data: "generated", records: 100_000 }).rows.Contact ?? [];
    expect(new Set(contacts.map((contact) => contact.Email)).size).toBe(100_000);
  });

  it("adds rows that must be rejected when asked to", () => {
    const { Account = [], Contact = [] } = loadSalesforceData({ dirty: true }).rows;
    expect(Account.slice(-2).map((row) => row.Name)).toEqual(["x".repeat(300), null]);
    expect(Contact.at(-1)).toMatchObject({ LastName: null, Email: null });
    const hub = loadHubSpotData({ dirty: true }).records;
    expect(hub.companies.slice(-2).map((company) => company.properties.name?.length)).toEqual([300, undefined]);
  });
});
