import { describe, expect, it } from "vitest";
import { handsOn } from "./conformance.hands.ts";
import { SUBJECTS, type Subject } from "./conformance.setup.ts";
import { AMBIGUOUS, type CallReport, type CrmProvider, type EntityType } from "./contract.ts";

/** Records by id, lost answers and trouble, with every provider: nothing is done twice, and what went wrong has a name. */

describe.each(SUBJECTS)("when all does not go well with the $id provider", (subject: Subject) => {
  const { nameField, emailField, titleField, ownIdField } = subject;
  const { bench, contact, create, update, remove, fetchAll, make, seen, stageAt } = handsOn(subject);

  describe("records by id", () => {
    it("brings the live, the deleted and the merged, each under the id that was asked for, and leaves out the unknown", async () => {
      const company = await make("accounts", "Home");
      const live = await make("contacts", "Live", { company });
      const gone = await make("contacts", "Gone");
      const [winner, loser] = [await make("contacts", "Winner"), await make("contacts", "Loser")];
      await remove([gone]);
      const [merge] = bench.mock.control.records([
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
      const writes = Array.from({ length: bench.provider.batch.write }, (_, at) => contact(String(at)));
      const ids = (await create(writes)).map((result) => result.id ?? "");
      const asked = ids.slice(0, bench.provider.batch.fetch);
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
      bench.provider.lookUp(bench.session, { entity, candidates, ...more });

    it("creates each record once and finds it again", async () => {
      await make("contacts", "Warm up");
      const createdAfter = since();
      const written = bench.mock.control.counters().rows_written;
      bench.mock.control.knobs({ lostReplyRate: 1 });
      const writes = [
        contact("1", { [emailField]: "lost1@firm.example" }),
        contact("2", { [emailField]: "lost2@firm.example" }),
      ];
      await expect(create(writes)).rejects.toMatchObject({ detail: { kind: "transient" } });
      bench.mock.control.knobs({ lostReplyRate: 0 });
      expect(bench.mock.control.counters().rows_written - written).toBe(2);
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
      expect(bench.provider.lookUpLagMs).toBe(subject.id === "hubspot" ? 60_000 : 0);
      bench.mock.control.knobs({ searchLagMs: 60_000 });
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
      bench.mock.control.knobs({ down: "unavailable" });
      const calls = async (run: () => Promise<unknown>) => {
        const before = bench.mock.control.counters().requests;
        await expect(run()).rejects.toMatchObject({ detail: { kind: "transient" } });
        return bench.mock.control.counters().requests - before;
      };
      expect(await calls(() => create([contact("once")]))).toBe(1);
      expect(await calls(() => update([{ key: "u", id, fields: { [titleField]: "T" } }]))).toBe(3);
      expect(await calls(() => remove([id]))).toBe(3);
    });

    it("waits as told when it asks too often", async () => {
      await make("contacts", "Warm up");
      bench.mock.control.knobs({ next429: 20 });
      await expect(create([contact("a")])).rejects.toMatchObject({
        detail: { kind: "rate_limited", retryAfterMs: expect.any(Number) },
      });
    });

    it("says that the session has ended", async () => {
      bench.mock.control.expireTokens();
      const ended = { detail: { kind: "revoked", code: "session_expired" } };
      await expect(create([contact("a")])).rejects.toMatchObject(ended);
      await expect(update([{ key: "u", id: "1", fields: { [titleField]: "T" } }])).rejects.toMatchObject(ended);
    });

    it("says which permission is missing", async () => {
      bench.mock.control.knobs({ readOnly: [subject.types.contacts] });
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
      bench.session = { ...bench.session, gate };
      const id = await make("contacts", "Counted");
      await seen(id);
      const { requests } = bench.mock.control.counters();
      expect(entered).toEqual(reports.map((report) => report.family));
      expect(entered).toHaveLength(requests);
      expect(new Set(entered)).toEqual(new Set(["read", "write"]));
      expect(reports.at(-1)?.dailyRemaining ?? reports.at(-1)?.windowRemaining).toBeGreaterThan(0);
    });
  });
});
