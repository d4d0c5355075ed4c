import { describe, expect, it } from "vitest";
import { API_VERSION, call, refusal, salesforce } from "../support.ts";

const externalId = {
  object: "Contact",
  name: "Key__c",
  label: "Key",
  type: "string",
  length: 40,
  externalId: true,
  unique: true,
} as const;

describe("Salesforce records", () => {
  it("creates, reads, updates and deletes one", async () => {
    const { connection } = await salesforce();
    const contacts = connection.sobject("Contact");
    const { id = "" } = await contacts.create({ FirstName: "Ada", LastName: "Byron", Email: "ada@firm.example" });
    expect(id).toMatch(/^003\w{15}$/);
    await contacts.update({ Id: id, Title: "Countess", Email: null });
    expect(await contacts.retrieve(id)).toMatchObject({ Name: "Ada Byron", Title: "Countess", Email: null });
    expect(await contacts.retrieve(id.slice(0, 15))).toMatchObject({ Id: id });
    await contacts.destroy(id);
    expect((await refusal(() => contacts.retrieve(id))).name).toBe("ENTITY_IS_DELETED");
    expect((await refusal(() => contacts.retrieve("003dM0000000zzzAAA"))).name).toBe("NOT_FOUND");
  });

  it.each([
    ["no last name", { FirstName: "A" }, "REQUIRED_FIELD_MISSING"],
    ["a name of 300 characters", { LastName: "x".repeat(300) }, "STRING_TOO_LONG"],
    ["an unknown field", { LastName: "A", Shoe: 1 }, "INVALID_FIELD"],
    ["a read-only field", { LastName: "A", Name: "B" }, "INVALID_FIELD_FOR_INSERT_UPDATE"],
    ["a malformed e-mail", { LastName: "A", Email: "a.example" }, "INVALID_EMAIL_ADDRESS"],
    ["a foreign kind of id", { LastName: "A", AccountId: "003dM0000000001AAA" }, "MALFORMED_ID"],
    ["an account that is not there", { LastName: "A", AccountId: "001dM0000000zzzAAA" }, "INVALID_CROSS_REFERENCE_KEY"],
    ["text for a yes or no", { LastName: "A", HasOptedOutOfEmail: "yes" }, "JSON_PARSER_ERROR"],
  ])("refuses a contact with %s", async (_what, fields, code) => {
    const { connection } = await salesforce();
    expect((await refusal(() => connection.sobject("Contact").create(fields))).name).toBe(code);
  });

  it("requires a close date for a new opportunity, although imported ones may lack it", async () => {
    const { connection } = await salesforce({ data: "maven" });
    const error = await refusal(() => connection.sobject("Opportunity").create({ Name: "A", StageName: "Won" }));
    expect(error.message).toBe("Required fields are missing: [CloseDate]");
  });

  it("lets an opportunity choose its contact once", async () => {
    const { mock, connection } = await salesforce();
    const people = (mock.control.list("Contact", 0, 2) as { Id: string }[]).map((row) => row.Id);
    const values = { Name: "Deal", StageName: "Prospecting", CloseDate: "2027-01-31", ContactId: people[0] ?? null };
    const { id = "" } = await connection.sobject("Opportunity").create(values);
    const change = () => connection.sobject("Opportunity").update({ Id: id, ContactId: people[1] ?? null });
    expect((await refusal(change)).name).toBe("INVALID_FIELD_FOR_INSERT_UPDATE");
    expect((await connection.sobject("Opportunity").retrieve(id)).ContactId).toBe(people[0]);
  });

  it("can be read only for the connected user, not for everybody", async () => {
    const { mock, connection } = await salesforce({ knobs: { readOnly: ["Contact"] } });
    const [row] = await connection.sobject("Contact").create([{ LastName: "Nobody" }]);
    expect(row).toMatchObject({ success: false, errors: [{ statusCode: "INSUFFICIENT_ACCESS_OR_READONLY" }] });
    expect((await connection.sobject("Account").create({ Name: "Firm" })).success).toBe(true);
    expect(mock.control.records([{ action: "create", type: "Contact", fields: { LastName: "By hand" } }])).toHaveLength(
      1,
    );
  });

  it("derives probability and closed state from the stage", async () => {
    const { connection } = await salesforce();
    const deals = connection.sobject("Opportunity");
    const { id = "" } = await deals.create({
      Name: "A",
      StageName: "Prospecting",
      CloseDate: "2026-12-01",
      Amount: 200,
    });
    expect(await deals.retrieve(id)).toMatchObject({ Probability: 10, ExpectedRevenue: 20, IsClosed: false });
    await deals.update({ Id: id, StageName: "Closed Won" });
    expect(await deals.retrieve(id)).toMatchObject({ Probability: 100, IsClosed: true, IsWon: true });
  });

  it("upserts by external id: creates, then updates, one row or many", async () => {
    const { connection } = await salesforce({ extraFields: [externalId] });
    const contacts = connection.sobject("Contact");
    const first = await contacts.upsert({ Key__c: "k1", LastName: "One" }, "Key__c");
    const again = await contacts.upsert({ Key__c: "K1", LastName: "Uno" }, "Key__c");
    expect([first.created, again.created, again.id]).toEqual([true, false, first.id]);
    const many = await contacts.upsert(
      [
        { Key__c: "k1", LastName: "Eins" },
        { Key__c: "k2", LastName: "Zwei" },
      ],
      "Key__c",
    );
    expect(many.map((result) => result.created)).toEqual([false, true]);
    const taken = await refusal(() => contacts.create({ LastName: "Three", Key__c: "k2" }));
    expect(taken.name).toBe("DUPLICATE_VALUE");
    expect(taken.message).toContain(String(many[1]?.id));
  });

  it("writes collections row by row, results in request order", async () => {
    const { mock, connection } = await salesforce();
    const contacts = connection.sobject("Contact");
    const created = await contacts.create([{ LastName: "One" }, { FirstName: "No last name" }, { LastName: "Three" }]);
    expect(created.map((result) => result.success)).toEqual([true, false, true]);
    expect(created[1]?.errors[0]).toMatchObject({ statusCode: "REQUIRED_FIELD_MISSING", fields: ["LastName"] });
    const ids = created.flatMap((result) => (result.success ? [result.id] : []));
    const updated = await contacts.update(ids.map((Id) => ({ Id, Title: "New" })));
    expect(updated.every((result) => result.success)).toBe(true);
    const read = await contacts.retrieve([...ids, "003dM0000000zzzAAA"], { fields: ["Title"] });
    expect(read.map((row) => row?.Title ?? null)).toEqual(["New", "New", null]);
    const destroyed = await contacts.destroy([...ids, ids[0] ?? ""]);
    expect(destroyed.map((result) => result.success)).toEqual([true, true, false]);
    expect(mock.control.counters().families).toMatchObject({ collections: 3, retrieve: 1 });
  });

  it("writes all or none when asked to", async () => {
    const { mock, connection } = await salesforce();
    const before = await connection.query("SELECT COUNT() FROM Contact");
    const results = await connection.sobject("Contact").create([{ LastName: "Good" }, {}], { allOrNone: true });
    expect(results.map((result) => (result.errors[0] as unknown as { statusCode: string }).statusCode)).toEqual([
      "ALL_OR_NONE_OPERATION_ROLLED_BACK",
      "REQUIRED_FIELD_MISSING",
    ]);
    expect((await connection.query("SELECT COUNT() FROM Contact")).totalSize).toBe(before.totalSize);
    expect(mock.control.counters().rows_written).toBe(0);
  });

  it("refuses more than 200 rows in one collection", async () => {
    const { connection } = await salesforce();
    const rows = Array.from({ length: 201 }, () => ({ LastName: "Many" }));
    expect((await refusal(() => connection.sobject("Contact").create(rows))).name).toBe("EXCEEDED_MAX_SIZE_REQUEST");
    expect(await connection.sobject("Contact").create(rows, { allowRecursive: true })).toHaveLength(201);
  });

  it("reads bodies that come in chunks, as from Deno", async () => {
    const { mock, token } = await salesforce();
    const body = new Blob([JSON.stringify({ LastName: "Chunked" })]).stream();
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    const response = await call(token, `${mock.url}/services/data/v${API_VERSION}/sobjects/Contact`, init);
    expect(response.status).toBe(201);
  });

  it("refuses an update of a row that changed after the time given", async () => {
    const { mock, token } = await salesforce();
    const [row] = mock.control.list("Contact", 0, 1) as { Id: string }[];
    const patch = (since: string) =>
      call(token, `${mock.url}/services/data/v${API_VERSION}/sobjects/Contact/${row?.Id}`, {
        method: "PATCH",
        headers: { "If-Unmodified-Since": since },
        body: JSON.stringify({ Title: "Chief" }),
      });
    expect((await patch("Thu, 01 Jan 2015 00:00:00 GMT")).status).toBe(412);
    expect((await patch("Thu, 01 Jan 2026 00:00:00 GMT")).status).toBe(204);
  });

  it("runs up to 25 subrequests, later ones with values of earlier ones", async () => {
    const { connection } = await salesforce();
    const sobjects = `/services/data/v${API_VERSION}/sobjects`;
    const { compositeResponse } = await connection.request<{
      compositeResponse: { httpStatusCode: number; body: { Name?: string } }[];
    }>({
      method: "POST",
      url: `/services/data/v${API_VERSION}/composite`,
      body: JSON.stringify({
        compositeRequest: [
          { method: "POST", url: `${sobjects}/Account`, referenceId: "firm", body: { Name: "Firm" } },
          {
            method: "POST",
            url: `${sobjects}/Contact`,
            referenceId: "person",
            body: { LastName: "Boss", AccountId: "@{firm.id}" },
          },
          { method: "GET", url: `${sobjects}/Account/@{firm.id}`, referenceId: "read" },
        ],
      }),
    });
    expect(compositeResponse.map((response) => response.httpStatusCode)).toEqual([201, 201, 200]);
    expect(compositeResponse[2]?.body.Name).toBe("Firm");
  });
});
