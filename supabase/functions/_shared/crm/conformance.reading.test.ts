import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Mock } from "../../../../packages/mock-crm/src/index.ts";
import { providerFor, readThrough, SUBJECTS, type Subject, sessionOf } from "./conformance.setup.ts";
import type { CrmProvider, CrmSession } from "./contract.ts";

/** Reading with every provider: nothing lost, nothing twice, through its real client library against its mock. */

const RECORDS = 5000;

describe.each(SUBJECTS)("reading with the $id provider", (subject: Subject) => {
  let mock: Mock;
  let provider: CrmProvider;
  let session: CrmSession;
  const contacts = {
    entity: "contacts" as const,
    fields: [subject.nameField, subject.emailField],
    reader: () => provider,
  };

  beforeAll(async () => {
    mock = await subject.start(RECORDS);
    provider = providerFor(subject, mock);
    session = sessionOf(mock);
  });
  afterEach(() => mock.control.reset({ data: false }));
  afterAll(() => mock.stop());

  describe("reading everything", () => {
    it("reads each of 5,000 records once, however many share a time", async () => {
      const fields = { [subject.nameField]: "Imported {n}" };
      mock.control.records([{ action: "touch", type: subject.types.contacts, count: 3000, fields }]);
      const { records, highWater } = await readThrough(session, contacts);
      expect(new Set(records.map((record) => record.id)).size).toBe(RECORDS);
      expect(records).toHaveLength(RECORDS);
      expect(records.every((record) => !record.deleted && record.fields[subject.nameField])).toBe(true);
      expect(new Set(records.map((record) => record.modifiedAt)).size).toBeLessThan(RECORDS);
      expect(highWater).not.toBeNull();
    });

    it("counts what it reads", async () => {
      for (const entity of ["accounts", "contacts", "opportunities"] as const) {
        const { records } = await readThrough(session, { ...contacts, entity, fields: [] });
        expect(await provider.count(session, entity, null)).toBe(records.length);
      }
    });

    it("brings relations, owners and stages along", async () => {
      const { records } = await readThrough(session, { ...contacts, entity: "opportunities", fields: [] });
      const companies = new Set(
        (await readThrough(session, { ...contacts, entity: "accounts", fields: [] })).records.map(({ id }) => id),
      );
      const stages = new Set((await provider.stages(session)).map((stage) => `${stage.pipelineId}/${stage.id}`));
      const owners = new Set((await provider.owners(session)).map((owner) => owner.id));
      const tied = records.filter((record) => record.company);
      expect(tied.length).toBeGreaterThan(0);
      expect(tied.every((record) => companies.has(record.company ?? ""))).toBe(true);
      expect(records.every((record) => stages.has(`${record.stage?.pipeline}/${record.stage?.id}`))).toBe(true);
      expect(records.every((record) => record.ownerId === null || owners.has(record.ownerId ?? ""))).toBe(true);
    });

    it("goes on in another worker after each page", async () => {
      const { records, pages } = await readThrough(session, { ...contacts, reader: () => providerFor(subject, mock) });
      expect(pages).toBeGreaterThan(2);
      expect(new Set(records.map((record) => record.id)).size).toBe(RECORDS);
    });

    it("goes on where it was when the CRM has forgotten the place", async () => {
      mock.control.knobs({ locatorLifeSeconds: 0.000_001 });
      const { records } = await readThrough(session, contacts);
      expect(records).toHaveLength(RECORDS);
      expect(new Set(records.map((record) => record.id)).size).toBe(RECORDS);
    });

    it("names a mapped field that the CRM does not have and reads the others", async () => {
      const fields = [subject.nameField, "no_such_field__c"];
      const page = await provider.readPage(session, { entity: "contacts", fields, cursor: null, since: null });
      expect(page.missingFields).toEqual(["no_such_field__c"]);
      expect(Object.keys(page.records[0]?.fields ?? {})).toEqual([subject.nameField]);
    });

    it("gets through a flaky network without losing a record", async () => {
      mock.control.knobs({ errorRate: 0.3 });
      const { records } = await readThrough(session, contacts);
      expect(new Set(records.map((record) => record.id)).size).toBe(RECORDS);
    });
  });

  const ids = (count: number) =>
    (mock.control.list(subject.types.contacts, 0, 50) as Record<string, unknown>[])
      .map((row) => String(row.Id ?? row.id))
      .slice(0, count);

  describe("reading everything again", () => {
    afterEach(() => mock.control.reset());

    it("tells what is gone by now, which a first read does not", async () => {
      const [gone = "", winner = "", loser = ""] = ids(3);
      const type = subject.types.contacts;
      mock.control.records([{ action: "delete", type, id: gone }]);
      const [merge] = mock.control.records([{ action: "merge", type, winner, losers: [loser] }]);
      const first = await readThrough(session, contacts);
      expect(first.records.filter(({ deleted }) => deleted)).toEqual([]);
      const { records, highWater } = await readThrough(session, { ...contacts, again: true });
      expect(records.filter(({ deleted }) => !deleted)).toHaveLength(first.records.length);
      const by = new Map(records.map((record) => [record.id, record]));
      expect(by.get(gone)).toMatchObject({ deleted: true });
      expect(by.get(loser)).toMatchObject({ deleted: true, mergedInto: String(merge?.id ?? winner) });
      expect(Date.parse(highWater?.modifiedAt ?? "")).toBeLessThanOrEqual(Date.now());
    });
  });

  describe("reading what changed", () => {
    afterEach(() => mock.control.reset());

    it("is quiet when nothing has", async () => {
      const { highWater } = await readThrough(session, contacts);
      const later = {
        ...highWater,
        modifiedAt: new Date(Date.parse(highWater?.modifiedAt ?? "") + 600_000).toISOString(),
        id: "",
      };
      expect(await readThrough(session, { ...contacts, since: later })).toMatchObject({
        records: [],
        highWater: later,
      });
    });

    it("brings edits, deletions and merges, and misses none that share a time", async () => {
      const { highWater } = await readThrough(session, contacts);
      const [edited = "", gone = "", winner = "", loser = ""] = ids(4);
      const type = subject.types.contacts;
      mock.control.records([
        { action: "touch", type, from: 10, count: 450, fields: { [subject.nameField]: "Touched {n}" } },
        { action: "edit", type, id: edited, fields: { [subject.nameField]: "Edited" } },
        { action: "delete", type, id: gone },
      ]);
      const [merge] = mock.control.records([{ action: "merge", type, winner, losers: [loser] }]);
      const { records } = await readThrough(session, { ...contacts, since: highWater });
      const by = new Map(records.map((record) => [record.id, record]));
      expect(by.get(edited)?.fields[subject.nameField]).toBe("Edited");
      expect(by.get(gone)).toMatchObject({ deleted: true });
      expect(by.get(loser)).toMatchObject({ deleted: true, mergedInto: String(merge?.id ?? winner) });
      expect(records.filter((record) => String(record.fields[subject.nameField]).startsWith("Touched"))).toHaveLength(
        450,
      );
    });

    it("finds a write that was not searchable yet on the next pass", async () => {
      const { highWater } = await readThrough(session, contacts);
      mock.control.knobs({ searchLagMs: 60_000 });
      const [id = ""] = ids(1);
      mock.control.records([
        { action: "edit", type: subject.types.contacts, id, fields: { [subject.nameField]: "Lagging" } },
      ]);
      const early = await readThrough(session, { ...contacts, since: highWater });
      mock.control.knobs({ clockOffsetMs: 61_000 });
      const late = await readThrough(session, { ...contacts, since: early.highWater });
      const found = [...early.records, ...late.records].find(
        (record) => record.id === id && record.fields[subject.nameField] === "Lagging",
      );
      expect(found).toBeDefined();
    });

    it("goes on in another worker after each page", async () => {
      const { highWater } = await readThrough(session, contacts);
      mock.control.records([
        { action: "touch", type: subject.types.contacts, count: 2300, fields: { [subject.nameField]: "New {n}" } },
      ]);
      const reader = () => providerFor(subject, mock);
      const { records, pages } = await readThrough(session, { ...contacts, since: highWater, reader, pageSize: 200 });
      expect(pages).toBeGreaterThan(5);
      const fresh = records.filter((record) => String(record.fields[subject.nameField]).startsWith("New"));
      expect(new Set(fresh.map((record) => record.id)).size).toBe(2300);
    });

    it("misses nothing that is edited while it reads", async () => {
      const { highWater } = await readThrough(session, contacts);
      const type = subject.types.contacts;
      const late: string[] = ids(3);
      const { records, highWater: after } = await readThrough(session, {
        ...contacts,
        betweenPages: (page) => {
          const id = late[page - 1];
          if (id !== undefined)
            mock.control.records([{ action: "edit", type, id, fields: { [subject.nameField]: "Late" } }]);
        },
      });
      const next = await readThrough(session, { ...contacts, since: after ?? highWater });
      const seen = [...records, ...next.records].filter((record) => record.fields[subject.nameField] === "Late");
      expect(new Set(seen.map((record) => record.id))).toEqual(new Set(late));
    });
  });
});
