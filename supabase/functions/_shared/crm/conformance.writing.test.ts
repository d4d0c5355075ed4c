import { describe, expect, it } from "vitest";
import { handsOn } from "./conformance.hands.ts";
import { SUBJECTS, type Subject } from "./conformance.setup.ts";

/** Writing with every provider, through its real client library against its mock: what is reported is what happened. */

describe.each(SUBJECTS)("writing with the $id provider", (subject: Subject) => {
  const { nameField, emailField, titleField, ownIdField } = subject;
  const { bench, minimal, contact, create, update, remove, fetchAll, make, seen, byKey, stageAt } = handsOn(subject);

  describe("fetching by id", () => {
    it("a whole batch in as few calls as there can be, where relations may come as they come", async () => {
      const writes = Array.from({ length: bench.provider.batch.fetch }, (_, at) => contact(String(at)));
      const ids = (await create(writes)).map(({ id }) => id ?? "");
      await fetchAll(ids.slice(0, 1));
      const { requests: before } = bench.mock.control.counters();
      const request = { entity: "contacts", ids, fields: [nameField], relations: "as they come" } as const;
      const found = await bench.provider.fetchRecords(bench.session, request);
      expect(found.map(({ id }) => id).sort()).toEqual([...ids].sort());
      expect(found.every(({ company }) => company === undefined || company === null)).toBe(true);
      expect(bench.mock.control.counters().requests - before).toBe(1);
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
      const most = Array.from({ length: bench.provider.batch.write }, (_, at) => contact(String(at)));
      const results = await create(most);
      expect(new Set(results.map((result) => result.id)).size).toBe(bench.provider.batch.write);
      const { requests } = bench.mock.control.counters();
      await expect(create([...most, contact("more")])).rejects.toMatchObject({ detail: { kind: "rejected" } });
      expect(bench.mock.control.counters().requests).toBe(requests);
    });

    it("ties new records to company, contact, owner and stage", async () => {
      const owner = (await bench.provider.owners(bench.session)).filter((candidate) => candidate.active).at(-1);
      const stage = (await bench.provider.stages(bench.session))[1];
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
      const before = bench.mock.control.list(subject.types.contacts, 0, 500).length;
      const [nowhere] = await create([{ ...contact("lost"), company: await deletedCompany() }]);
      expect(nowhere).toMatchObject({ outcome: "failed", error: { kind: "rejected" } });
      const live = (bench.mock.control.list(subject.types.contacts, 0, 500) as { IsDeleted?: boolean }[]).length;
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
      const owner = (await bench.provider.owners(bench.session)).filter((candidate) => candidate.active).at(-1)?.id;
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
      const owner = (await bench.provider.owners(bench.session)).find((candidate) => candidate.active)?.id;
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
      const [made] = await bench.provider.createRecords(bench.session, { entity: "accounts", writes: [write] });
      expect(made).toMatchObject({ key: "n", outcome: "written", left: ["contact"] });
    });

    it("says when it wrote, as reading says it, where the CRM does", async () => {
      const id = await make("contacts", "Timed");
      const [result] = await update([{ key: "w", id, fields: { [titleField]: "New" } }]);
      expect(result?.modifiedAt).toBe(subject.saysWhen ? (await seen(id)).modifiedAt : undefined);
    });

    it("asks the CRM nothing about a record to which nothing changes", async () => {
      const id = await make("contacts", "Still");
      const { requests } = bench.mock.control.counters();
      expect(await update([{ key: "n", id, fields: {} }])).toEqual([{ key: "n", outcome: "written", id }]);
      expect(bench.mock.control.counters().requests).toBe(requests);
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
      bench.mock.control.records([{ action: "merge", type: subject.types.contacts, winner, losers: [loser] }]);
      const [result] = await update([{ key: "l", id: loser, fields: { [titleField]: "New" } }]);
      expect(result).toEqual({ key: "l", outcome: "gone", id: loser });
    });
  });

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
      const [merge] = bench.mock.control.records([
        { action: "merge", type: subject.types.contacts, winner, losers: [loser] },
      ]);
      const survivor = String(merge?.id ?? winner);
      expect((await remove([loser])).map((result) => result.outcome)).toEqual(["written"]);
      expect((await seen(survivor)).deleted).toBe(false);
    });
  });
});
