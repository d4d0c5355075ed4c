import { describe, expect, it } from "vitest";
import { refusal, salesforce } from "../support.ts";

type Named = { Id: string; Name: string; SystemModstamp: string };

describe("SOQL", () => {
  it("reads fields of the row and of its parents, null where there is no parent", async () => {
    const { connection } = await salesforce({ data: "maven" });
    const { records } = await connection.query<{
      Name: string;
      Account: { Name: string } | null;
      Owner: { Email: string };
    }>(
      "SELECT Name, Account.Name, Owner.Email FROM Opportunity WHERE Maven_Id__c IN ('1C1I7A6R', 'UP409DSB') ORDER BY Maven_Id__c",
    );
    expect(records.map((record) => [record.Name, record.Account?.Name ?? null, record.Owner.Email])).toEqual([
      ["GTX Plus Basic – Cancity – 1C1I7A6R", "Cancity", "moses.frase@salesteam.example"],
      ["MG Advanced – Ganjaflex – UP409DSB", "Ganjaflex", "maureen.marcano@salesteam.example"],
    ]);
    const orphan = await connection.query<{ Account: null }>(
      "SELECT Account.Name FROM Opportunity WHERE AccountId = null LIMIT 1",
    );
    expect(orphan.records[0]?.Account).toBeNull();
  });

  it.each([
    ["StageName = 'won'", 4238],
    ["StageName != 'Won' AND AccountId = null", 1425],
    ["StageName IN ('Won', 'Lost')", 6711],
    ["StageName NOT IN ('Won', 'Lost')", 2089],
    ["(StageName = 'Prospecting' OR StageName = 'Engaging') AND NOT (AccountId = null)", 664],
    ["Product__c LIKE 'gtxpr_'", 1480],
    ["Name LIKE '%1C1I7A6R'", 1],
    ["Amount >= 20000 AND IsWon = true", 15],
    ["CloseDate >= 2017-12-31", 24],
    ["Account.Name = 'Cancity' AND IsClosed = false", 8],
  ])("counts the Maven opportunities where %s", async (where, total) => {
    const { connection } = await salesforce({ data: "maven" });
    expect((await connection.query(`SELECT COUNT() FROM Opportunity WHERE ${where}`)).totalSize).toBe(total);
  });

  it("takes text with quotes and backslashes as it was escaped", async () => {
    const { connection } = await salesforce();
    await connection.sobject("Account").create({ Name: "O'Brien \\ Sons 100%" });
    for (const condition of ["Name = 'O\\'Brien \\\\ Sons 100%'", "Name LIKE '%100\\%'"]) {
      expect((await connection.query(`SELECT Id FROM Account WHERE ${condition}`)).totalSize).toBe(1);
    }
    expect((await connection.query("SELECT Id FROM Account WHERE Name LIKE '%10\\%'")).totalSize).toBe(0);
  });

  it("orders by several fields, nulls first unless told otherwise", async () => {
    const { connection } = await salesforce({ data: "maven" });
    const amounts = async (order: string) => {
      const { records } = await connection.query<{ Amount: number | null }>(
        `SELECT Amount FROM Opportunity ORDER BY ${order} LIMIT 1`,
      );
      return records[0]?.Amount;
    };
    expect(await amounts("Amount ASC")).toBeNull();
    expect(await amounts("Amount DESC NULLS LAST, Id")).toBe(30288);
    const { records } = await connection.query<{ Industry: string; Name: string }>(
      "SELECT Industry, Name FROM Account ORDER BY Industry, Name DESC LIMIT 2",
    );
    expect(records.map((record) => record.Name)).toEqual(["Y-corporation", "Statholdings"]);
  });

  it("pages in locators of 2,000 and keeps each row once", async () => {
    const { connection } = await salesforce({ records: 4500 });
    const seen = new Set<string>();
    let page = await connection.query<Named>("SELECT Id FROM Contact");
    expect([page.totalSize, page.records.length, page.done]).toEqual([4500, 2000, false]);
    for (;;) {
      for (const record of page.records) seen.add(record.Id);
      if (page.done || page.nextRecordsUrl === undefined) break;
      page = await connection.queryMore<Named>(page.nextRecordsUrl);
    }
    expect(seen.size).toBe(4500);
  });

  it("takes a smaller batch size as a hint between 200 and 2,000", async () => {
    const { connection } = await salesforce({ records: 700 });
    const sizes = [];
    for (const size of [300, 10]) {
      const headers = { "Sforce-Query-Options": `batchSize=${size}` };
      sizes.push((await connection.query("SELECT Id FROM Contact", { autoFetch: false, headers })).records.length);
    }
    expect(sizes).toEqual([300, 200]);
  });

  it("forgets a locator when it is old, unknown, or the eleventh opened after it", async () => {
    const { mock, connection } = await salesforce({ records: 2500 });
    const open = () => connection.query("SELECT Id FROM Contact");
    const first = (await open()).nextRecordsUrl ?? "";
    expect((await connection.queryMore(first)).records).toHaveLength(500);
    for (let nth = 0; nth < 10; nth += 1) await open();
    expect(await refusal(() => connection.queryMore(first))).toMatchObject({ name: "INVALID_QUERY_LOCATOR" });
    const late = (await open()).nextRecordsUrl ?? "";
    mock.control.knobs({ clockOffsetMs: 3 * 86_400_000, tokenLifeSeconds: 7 * 86_400 });
    const { token } = mock.control.issueToken();
    connection.accessToken = token;
    expect(await refusal(() => connection.queryMore(late))).toMatchObject({ name: "INVALID_QUERY_LOCATOR" });
  });

  it("reads incrementally by SystemModstamp and Id, through ties, without a gap", async () => {
    const { connection } = await salesforce({ records: 1000 });
    const seen: string[] = [];
    let condition = "SystemModstamp >= 2000-01-01T00:00:00Z";
    for (;;) {
      const { records } = await connection.query<Named>(
        `SELECT Id, SystemModstamp FROM Contact WHERE ${condition} ORDER BY SystemModstamp, Id LIMIT 130`,
      );
      const last = records.at(-1);
      if (last === undefined) break;
      seen.push(...records.map((record) => record.Id));
      const at = last.SystemModstamp.replace(".000+0000", "Z");
      condition = `(SystemModstamp > ${at} OR (SystemModstamp = ${at} AND Id > '${last.Id}'))`;
    }
    expect(new Set(seen).size).toBe(1000);
    expect(seen).toHaveLength(1000);
  });

  it("answers COUNT(Id) as an aggregate row and skips with OFFSET up to 2,000", async () => {
    const { connection } = await salesforce({ records: 30 });
    const { records } = await connection.query<{ n: number }>("SELECT COUNT(Id) n FROM Contact");
    expect(records[0]?.n).toBe(30);
    expect((await connection.query("SELECT Id FROM Contact ORDER BY Id LIMIT 10 OFFSET 25")).records).toHaveLength(5);
    const tooFar = await refusal(() => connection.query("SELECT Id FROM Contact OFFSET 2001"));
    expect(tooFar.name).toBe("NUMBER_OUTSIDE_VALID_RANGE");
  });

  it.each([
    ["SELECT Nope FROM Account", "INVALID_FIELD"],
    ["SELECT Id, Nope.Name FROM Account", "INVALID_FIELD"],
    ["SELECT Id FROM Nope", "INVALID_TYPE"],
    ["SELECT FROM Account", "MALFORMED_QUERY"],
    ["SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY"],
    ["SELECT Id FROM Account WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"],
    ["SELECT Id FROM Account WHERE NumberOfEmployees > '5'", "INVALID_FIELD"],
    ["SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD"],
    ["SELECT StageName, COUNT(Id) FROM Opportunity GROUP BY StageName", "MALFORMED_QUERY"],
  ])("refuses %s", async (soql, code) => {
    const { connection } = await salesforce();
    expect((await refusal(() => connection.query(soql))).name).toBe(code);
  });
});
