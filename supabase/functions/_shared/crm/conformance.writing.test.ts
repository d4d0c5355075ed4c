import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Mock } from "../../../../packages/mock-crm/src/index.ts";
import { providerFor, SUBJECTS, type Subject, sessionOf } from "./conformance.setup.ts";
import {
  AMBIGUOUS,
  type CallReport,
  type CreateRequest,
  type CrmProvider,
  type CrmRecord,
  type CrmSession,
  type EntityType,
  type RecordWrite,
  type UpdateRequest,
  type WriteResult,
} from "./contract.ts";

/** Writing with every provider, through its real client library against its mock: what is reported is what happened. */

type Update = UpdateRequest["writes"][number];

describe.each(SUBJECTS)("writing with the $id provider", (subject: Subject) => {
  let mock: Mock;
  let provider: CrmProvider;
  let session: CrmSession;
  const { nameField, emailField, titleField, ownIdField } = subject;

  beforeAll(async () => {
    mock = await subject.start(20);
    provider = providerFor(subject, mock);
  });
  beforeEach(() => {
    session = sessionOf(mock);
  });
  afterEach(() => mock.control.reset());
  afterAll(() => mock.stop());

  const minimal = (entity: EntityType, name: string) => subject.minimal[entity](name);
  const contact = (key: string, fields: Record<string, unknown> = {}): RecordWrite => ({
    key,
    fields: { [nameField]: `Contact ${key}`, ...fields },
  });
  const create = (writes: RecordWrite[], more: Partial<CreateRequest> = {}) =>
    provider.createRecords(session, { entity: "contacts", writes, ...more });
  const update = (writes: Update[], entity: EntityType = "contacts") =>
    provider.updateRecords(session, { entity, writes });
  const remove = (ids: string[], entity: EntityType = "contacts") => provider.deleteRecords(session, { entity, ids });
  const fetchAll = (ids: string[], entity: EntityType = "contacts", fields: string[] = [nameField, titleField]) =>
    provider.fetchRecords(session, { entity, ids, fields });

  async function make(entity: EntityType, name: string, more: Partial<RecordWrite> = {}): Promise<string> {
    const write = { key: name, ...more, fields: { ...minimal(entity, name), ...more.fields } };
    const [result] = await provider.createRecords(session, { entity, writes: [write] });
    expect(result).toMatchObject({ key: name, outcome: "written", id: expect.stringMatching(/\w/) });
    return result?.id ?? "";
  }

  async function seen(id: string, entity: EntityType = "contacts", fields?: string[]): Promise<CrmRecord> {
    const [record, ...more] = await fetchAll([id], entity, fields);
    if (record === undefined) throw new Error(`The CRM does not know ${id}`);
    expect(more).toEqual([]);
    return record;
  }

  const byKey = (results: WriteResult[]) => new Map(results.map((result) => [result.key, result]));

  describe("fetching by id", () => {
    it("a whole batch in as few calls as there can be, where relations may come as they come", async () => {
      const writes = Array.from({ length: provider.batch.fetch }, (_, at) => contact(String(at)));
      const ids = (await create(writes)).map(({ id }) => id ?? "");
      await fetchAll(ids.slice(0, 1));
      const { requests: before } = mock.control.counters();
      const request = { entity: "contacts", ids, fields: [nameField], relations: "as they come" } as const;
      const found = await provider.fetchRecords(session, request);
      expect(found.map(({ id }) => id).sort()).toEqual([...ids].sort());
      expect(found.every(({ company }) => company === undefined || company === null)).toBe(true);
      expect(mock.control.counters().requests - before).toBe(1);
    });
  });

  describe("creating", () => {
    it("says for each record which one it became, whatever the order of the answers", async () => {
      const results = await create(["a", "b", "c"].map((key) => contact(key)));
      expect(results).toHaveLength(3);
      for (const { key, outcome, id } of results) {
        expect(outcome).toBe("written");
        expect((await seen(id ?? "")).fields[nameField]).toBe(`Contact ${key}`);
      }
    });

    it("fills a whole batch, and sends nothing when there is more", async () => {
      const most = Array.from({ length: provider.batch.write }, (_, at) => contact(String(at)));
      const results = await create(most);
      expect(new Set(results.map((result) => result.id)).size).toBe(provider.batch.write);
      const { requests } = mock.control.counters();
      await expect(create([...most, contact("more")])).rejects.toMatchObject({ detail: { kind: "rejected" } });
      expect(mock.control.counters().requests).toBe(requests);
    });

    it("ties new records to company, contact, owner and stage", async () => {
      const owner = (await provider.owners(session)).filter((candidate) => candidate.active).at(-1);
      const stage = (await provider.stages(session))[1];
      const parent = await make("accounts", "Holding");
      const company = await make("accounts", "Daughter", { company: parent });
      const person = await make("contacts", "Ada", { company, owner: owner?.id });
      const ties = {
        company,
        contact: person,
        owner: owner?.id,
        stage: { pipeline: stage?.pipelineId ?? "", id: stage?.id ?? "" },
      };
      const deal = await make("opportunities", "Big deal", ties);
      expect(await seen(company, "accounts")).toMatchObject({ company: parent });
      expect(await seen(person)).toMatchObject({ company, ownerId: owner?.id });
      const { owner: ownerId, ...rest } = ties;
      expect(await seen(deal, "opportunities")).toMatchObject({ ...rest, ownerId });
    });

    it("writes the others when one is refused, and says which field is to blame", async () => {
      const results = byKey(await create([contact("good"), contact("bad", subject.invalid.fields), contact("fine")]));
      expect([results.get("good")?.outcome, results.get("fine")?.outcome]).toEqual(["written", "written"]);
      expect(results.get("bad")).toMatchObject({
        outcome: "failed",
        id: null,
        error: { kind: "rejected", code: subject.invalid.code, field: subject.invalid.field },
      });
      expect(results.get("bad")?.error?.userMessage).toMatch(/^[A-Z].*\.$/);
    });

    it("refuses a record that is tied to nobody, and makes none", async () => {
      const before = mock.control.list(subject.types.contacts, 0, 500).length;
      const [nowhere] = await create([{ ...contact("lost"), company: await deletedCompany() }]);
      expect(nowhere).toMatchObject({ outcome: "failed", error: { kind: "rejected" } });
      const live = (mock.control.list(subject.types.contacts, 0, 500) as { IsDeleted?: boolean }[]).length;
      expect(live).toBe(before);
    });

    it("recognises a record that is there already", async () => {
      const there = await make("contacts", "First", { fields: { [ownIdField]: "own-1" } });
      const results = byKey(await create([contact("again", { [ownIdField]: "own-1" }), contact("new")]));
      expect(results.get("again")).toEqual({ key: "again", outcome: "exists", id: there });
      expect(results.get("new")).toMatchObject({ outcome: "written" });
    });

    it("makes one record of two calls when our id goes along", async () => {
      const company = await make("accounts", "Firm");
      const writes = [{ ...contact("a", { [ownIdField]: "own-a" }), company }, contact("b")];
      const first = byKey(await create(writes, { externalIdField: ownIdField }));
      const [marked, bare] = [first.get("a"), first.get("b")];
      expect([marked?.outcome, bare?.outcome]).toEqual(["written", "written"]);
      expect(await seen(marked?.id ?? "", "contacts", [ownIdField])).toMatchObject({
        company,
        fields: { [ownIdField]: "own-a" },
      });
      const renamed = contact("a", { [nameField]: "Renamed", [ownIdField]: "own-a" });
      const [second] = await create([renamed], { externalIdField: ownIdField });
      expect(second).toMatchObject({ outcome: "written", id: marked?.id });
      expect((await seen(marked?.id ?? "")).fields[nameField]).toBe("Renamed");
    });
  });

  async function deletedCompany(): Promise<string> {
    const id = await make("accounts", "Closed down");
    await remove([id], "accounts");
    return id;
  }

  describe("changing", () => {
    it("sets what is given, clears what is null and leaves the rest alone", async () => {
      const id = await make("contacts", "Grace", {
        fields: { [titleField]: "Admiral", [emailField]: "g@navy.example" },
      });
      await update([{ key: "1", id, fields: { [titleField]: null } }]);
      const fields = [nameField, titleField, emailField];
      const cleared = await seen(id, "contacts", fields);
      expect(cleared.fields).toEqual({ [nameField]: "Grace", [titleField]: null, [emailField]: "g@navy.example" });
      await update([{ key: "1", id, fields: { [titleField]: "Rear admiral" } }]);
      expect((await seen(id)).fields[titleField]).toBe("Rear admiral");
    });

    it("moves a contact to another company, and away from it", async () => {
      const [first, second] = [await make("accounts", "One"), await make("accounts", "Two")];
      const id = await make("contacts", "Mover", { company: first });
      const move = async (company: string | null) => {
        expect(await update([{ key: "m", id, fields: {}, company }])).toEqual([{ key: "m", outcome: "written", id }]);
        return (await seen(id)).company;
      };
      expect(await move(second)).toBe(second);
      expect(await move(second)).toBe(second);
      expect(await move(null)).toBeNull();
      expect(await move(first)).toBe(first);
    });

    it("gives a company another parent, and none", async () => {
      const [one, two] = [await make("accounts", "Parent one"), await make("accounts", "Parent two")];
      const id = await make("accounts", "Child", { company: one });
      await make("accounts", "Grandchild", { company: id });
      await update([{ key: "p", id, fields: {}, company: two }], "accounts");
      expect((await seen(id, "accounts")).company).toBe(two);
      await update([{ key: "p", id, fields: {}, company: null }], "accounts");
      expect((await seen(id, "accounts")).company).toBeNull();
    });

    it("moves an opportunity on: stage, owner, company, contact as far as the CRM allows", async () => {
      const [before, after] = [await make("contacts", "Before"), await make("contacts", "After")];
      const company = await make("accounts", "Buyer");
      const id = await make("opportunities", "Deal", { contact: before, stage: await stageAt(0) });
      const owner = (await provider.owners(session)).filter((candidate) => candidate.active).at(-1)?.id;
      const stage = await stageAt(2);
      const [result] = await update(
        [{ key: "d", id, fields: {}, stage, owner, company, contact: after }],
        "opportunities",
      );
      const left = subject.fixedContact ? { left: ["contact"] } : {};
      expect(result).toMatchObject({ key: "d", outcome: "written", id, ...left });
      expect(result?.left).toEqual(left.left);
      const contactNow = subject.fixedContact ? before : after;
      expect(await seen(id, "opportunities")).toMatchObject({ stage, ownerId: owner, company, contact: contactNow });
    });

    it("says which relations it did not set", async () => {
      const owner = (await provider.owners(session)).find((candidate) => candidate.active)?.id;
      const company = await make("accounts", "Left");
      const id = await make("contacts", "Owned", { owner, company });
      const nobody = { key: "o", id, fields: { [titleField]: "New" }, owner: null };
      const [result] = await update([nobody]);
      const left = subject.alwaysOwned ? { left: ["owner"] } : {};
      expect(result).toMatchObject({ key: "o", outcome: "written", id, ...left });
      expect(result?.left).toEqual(left.left);
      expect((await seen(id)).ownerId).toBe(subject.alwaysOwned ? owner : null);
      const [tied] = await update([{ key: "t", id: company, fields: {}, contact: id }], "accounts");
      expect(tied).toEqual({ key: "t", outcome: "written", id: company, left: ["contact"] });
      const write = { key: "n", fields: minimal("accounts", "No contact"), contact: id };
      const [made] = await provider.createRecords(session, { entity: "accounts", writes: [write] });
      expect(made).toMatchObject({ key: "n", outcome: "written", left: ["contact"] });
    });

    it("says when it wrote, as reading says it, where the CRM does", async () => {
      const id = await make("contacts", "Timed");
      const [result] = await update([{ key: "w", id, fields: { [titleField]: "New" } }]);
      expect(result?.modifiedAt).toBe(subject.saysWhen ? (await seen(id)).modifiedAt : undefined);
    });

    it("asks the CRM nothing about a record to which nothing changes", async () => {
      const id = await make("contacts", "Still");
      const { requests } = mock.control.counters();
      expect(await update([{ key: "n", id, fields: {} }])).toEqual([{ key: "n", outcome: "written", id }]);
      expect(mock.control.counters().requests).toBe(requests);
    });

    it("writes one record twice in a batch, in this order", async () => {
      const id = await make("contacts", "Twice");
      const results = await update(
        ["first", "second"].map((value) => ({ key: value, id, fields: { [titleField]: value } })),
      );
      expect(results.map((result) => result.outcome)).toEqual(["written", "written"]);
      expect((await seen(id)).fields[titleField]).toBe("second");
      const companies = [await make("accounts", "One"), await make("accounts", "Two")];
      await update(companies.map((company) => ({ key: company, id, fields: {}, company })));
      expect((await seen(id)).company).toBe(companies[1]);
    });

    it("tells apart what is gone, what is refused and what is written", async () => {
      const [good, bad, gone] = [await make("contacts", "G"), await make("contacts", "B"), await make("contacts", "D")];
      await remove([gone]);
      const title = { [titleField]: "New" };
      const results = byKey(
        await update([
          { key: "good", id: good, fields: title },
          { key: "bad", id: bad, fields: subject.invalid.fields },
          { key: "gone", id: gone, fields: title },
        ]),
      );
      expect(results.get("good")).toMatchObject({ key: "good", outcome: "written", id: good });
      expect(results.get("bad")).toMatchObject({ outcome: "failed", id: bad, error: { kind: "rejected" } });
      expect(results.get("gone")).toEqual({ key: "gone", outcome: "gone", id: gone });
    });

    it("does not take a company that is gone for a contact that is gone", async () => {
      const id = await make("contacts", "Alive");
      const company = await deletedCompany();
      const [result] = await update([{ key: "x", id, fields: { [titleField]: "New" }, company }]);
      expect(result).toMatchObject({ outcome: "failed", id, error: { kind: "rejected" } });
    });

    it("does not write into the survivor of a merge unnoticed", async () => {
      const [winner, loser] = [await make("contacts", "Winner"), await make("contacts", "Loser")];
      mock.control.records([{ action: "merge", type: subject.types.contacts, winner, losers: [loser] }]);
      const [result] = await update([{ key: "l", id: loser, fields: { [titleField]: "New" } }]);
      expect(result).toEqual({ key: "l", outcome: "gone", id: loser });
    });
  });

  async function stageAt(index: number): Promise<{ pipeline: string; id: string }> {
    const stage = (await provider.stages(session))[index];
    return { pipeline: stage?.pipelineId ?? "", id: stage?.id ?? "" };
  }

  describe("deleting", () => {
    it("deletes, and is content with what is gone already", async () => {
      const ids = [await make("contacts", "One"), await make("contacts", "Two")];
      const first = await remove(ids);
      expect(first.map(({ key, outcome, id }) => [key, outcome, id]).sort()).toEqual(
        ids.map((id) => [id, "written", id]).sort(),
      );
      expect((await fetchAll(ids)).map((record) => record.deleted)).toEqual([true, true]);
      expect((await remove(ids)).map((result) => result.outcome)).toEqual(["written", "written"]);
    });

    it("leaves the survivor of a merge alone", async () => {
      const [winner, loser] = [await make("contacts", "Winner"), await make("contacts", "Loser")];
      const [merge] = mock.control.records([
        { action: "merge", type: subject.types.contacts, winner, losers: [loser] },
      ]);
      const survivor = String(merge?.id ?? winner);
      expect((await remove([loser])).map((result) => result.outcome)).toEqual(["written"]);
      expect((await seen(survivor)).deleted).toBe(false);
    });
  });

  describe("records by id", () => {
    it("brings the live, the deleted and the merged, each under the id that was asked for, and leaves out the unknown", async () => {
      const company = await make("accounts", "Home");
      const live = await make("contacts", "Live", { company });
      const gone = await make("contacts", "Gone");
      const [winner, loser] = [await make("contacts", "Winner"), await make("contacts", "Loser")];
      await remove([gone]);
      const [merge] = mock.control.records([
        { action: "merge", type: subject.types.contacts, winner, losers: [loser] },
      ]);
      const unknown = live.replace(/\d{4}(?=\D*$)/, "9876");
      const records = await fetchAll([live, gone, loser, unknown, "nonsense", live]);
      const by = new Map(records.map((record) => [record.id, record]));
      expect(by.size).toBe(3);
      expect(records).toHaveLength(3);
      expect(by.get(live)).toMatchObject({ deleted: false, company, fields: { [nameField]: "Live" } });
      expect(by.get(gone)).toMatchObject({ deleted: true });
      expect(by.get(loser)).toMatchObject({ deleted: true, mergedInto: String(merge?.id ?? winner) });
    });

    it("brings a whole batch", async () => {
      const writes = Array.from({ length: provider.batch.write }, (_, at) => contact(String(at)));
      const ids = (await create(writes)).map((result) => result.id ?? "");
      const asked = ids.slice(0, provider.batch.fetch);
      const records = await fetchAll(asked);
      expect(new Set(records.map((record) => record.id))).toEqual(new Set(asked));
      expect(records).toHaveLength(asked.length);
    });

    it("leaves out fields that the CRM does not have", async () => {
      const id = await make("contacts", "Short");
      expect((await seen(id, "contacts", [nameField, "no_such_field__c"])).fields).toEqual({ [nameField]: "Short" });
    });
  });

  describe("when an answer gets lost", () => {
    const since = () => new Date(Date.now() - 1000).toISOString();
    const lookUp = (entity: EntityType, candidates: Parameters<CrmProvider["lookUp"]>[1]["candidates"], more = {}) =>
      provider.lookUp(session, { entity, candidates, ...more });

    it("creates each record once and finds it again", async () => {
      await make("contacts", "Warm up");
      const createdAfter = since();
      const written = mock.control.counters().rows_written;
      mock.control.knobs({ lostReplyRate: 1 });
      const writes = [
        contact("1", { [emailField]: "lost1@firm.example" }),
        contact("2", { [emailField]: "lost2@firm.example" }),
      ];
      await expect(create(writes)).rejects.toMatchObject({ detail: { kind: "transient" } });
      mock.control.knobs({ lostReplyRate: 0 });
      expect(mock.control.counters().rows_written - written).toBe(2);
      const found = await lookUp("contacts", [
        { key: "1", email: "Lost1@firm.example", name: "Contact 1", createdAfter },
        { key: "2", email: "lost2@firm.example", createdAfter },
        { key: "3", email: "never@firm.example", createdAfter },
      ]);
      expect([...found.keys()].sort()).toEqual(["1", "2"]);
      expect((await seen(found.get("1") ?? "")).fields[nameField]).toBe("Contact 1");
    });

    it("finds by our id, by name and website, by name", async () => {
      const createdAfter = since();
      const marked = await make("contacts", "Marked", { fields: { [ownIdField]: "own-9" } });
      const firm = await make("accounts", "O'Hara & Söhne", { fields: { [subject.websiteField]: "ohara.example" } });
      const deal = await make("opportunities", "100% of it", { stage: await stageAt(0) });
      const person = await make("contacts", "van der Berg");
      const own = [{ key: "m", externalId: "own-9", name: "Whatever", createdAfter }];
      expect(await lookUp("contacts", own, { externalIdField: ownIdField })).toEqual(new Map([["m", marked]]));
      const name = "o'hara & Söhne";
      expect(await lookUp("accounts", [{ key: "f", name, domain: "www.ohara.example", createdAfter }])).toEqual(
        new Map([["f", firm]]),
      );
      expect(await lookUp("accounts", [{ key: "f", name, domain: "other.example", createdAfter }])).toEqual(new Map());
      expect(await lookUp("opportunities", [{ key: "d", name: "100% of it", createdAfter }])).toEqual(
        new Map([["d", deal]]),
      );
      expect(await lookUp("contacts", [{ key: "p", name: "van der Berg", createdAfter }])).toEqual(
        new Map([["p", person]]),
      );
    });

    it("tells how long a look-up may have to wait, and finds by unique fields without waiting", async () => {
      expect(provider.lookUpLagMs).toBe(subject.id === "hubspot" ? 60_000 : 0);
      mock.control.knobs({ searchLagMs: 60_000 });
      const createdAfter = since();
      const id = await make("contacts", "Fresh", { fields: { [emailField]: "fresh@firm.example" } });
      const found = await lookUp("contacts", [{ key: "f", email: "fresh@firm.example", createdAfter }]);
      expect(found).toEqual(new Map([["f", id]]));
    });

    it("calls ambiguous what several fit and what two claim, and leaves out what is older", async () => {
      const createdAfter = since();
      await make("accounts", "Twin");
      await make("accounts", "Twin");
      await make("accounts", "Single");
      const later = new Date(Date.now() + 3_600_000).toISOString();
      const found = await lookUp("accounts", [
        { key: "twin", name: "Twin", createdAfter },
        { key: "old", name: "Single", createdAfter: later },
      ]);
      expect(found).toEqual(new Map([["twin", AMBIGUOUS]]));
      const claimed = ["a", "b"].map((key) => ({ key, name: "Single", createdAfter }));
      const both = new Map(claimed.map(({ key }) => [key, AMBIGUOUS]));
      expect(await lookUp("accounts", claimed)).toEqual(both);
      const [alone] = (await lookUp("accounts", claimed.slice(0, 1))).values();
      expect(alone).toMatch(/\d/);
    });
  });

  describe("trouble", () => {
    it("repeats an update and a deletion after a passing fault, never a create", async () => {
      const id = await make("contacts", "Patient");
      mock.control.knobs({ down: "unavailable" });
      const calls = async (run: () => Promise<unknown>) => {
        const before = mock.control.counters().requests;
        await expect(run()).rejects.toMatchObject({ detail: { kind: "transient" } });
        return mock.control.counters().requests - before;
      };
      expect(await calls(() => create([contact("once")]))).toBe(1);
      expect(await calls(() => update([{ key: "u", id, fields: { [titleField]: "T" } }]))).toBe(3);
      expect(await calls(() => remove([id]))).toBe(3);
    });

    it("waits as told when it asks too often", async () => {
      await make("contacts", "Warm up");
      mock.control.knobs({ next429: 20 });
      await expect(create([contact("a")])).rejects.toMatchObject({
        detail: { kind: "rate_limited", retryAfterMs: expect.any(Number) },
      });
    });

    it("says that the session has ended", async () => {
      mock.control.expireTokens();
      const ended = { detail: { kind: "revoked", code: "session_expired" } };
      await expect(create([contact("a")])).rejects.toMatchObject(ended);
      await expect(update([{ key: "u", id: "1", fields: { [titleField]: "T" } }])).rejects.toMatchObject(ended);
    });

    it("says which permission is missing", async () => {
      mock.control.knobs({ readOnly: [subject.types.contacts] });
      const sentence = await create([contact("a")]).then(
        ([result]) => result?.error,
        (error: { detail: unknown }) => error.detail,
      );
      expect(sentence).toMatchObject({ kind: "rejected", userMessage: expect.stringMatching(subject.forbidden) });
    });

    it("enters the gate before every call and reports every answer", async () => {
      const entered: string[] = [];
      const reports: CallReport[] = [];
      const gate = {
        enter: async (family: string) => void entered.push(family),
        report: (report: CallReport) => void reports.push(report),
      };
      session = { ...session, gate };
      const id = await make("contacts", "Counted");
      await seen(id);
      const { requests } = mock.control.counters();
      expect(entered).toEqual(reports.map((report) => report.family));
      expect(entered).toHaveLength(requests);
      expect(new Set(entered)).toEqual(new Set(["read", "write"]));
      expect(reports.at(-1)?.dailyRemaining ?? reports.at(-1)?.windowRemaining).toBeGreaterThan(0);
    });
  });
});
