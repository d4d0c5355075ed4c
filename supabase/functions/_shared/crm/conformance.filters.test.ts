import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Mock } from "../../../../packages/mock-crm/src/index.ts";
import { providerFor, SUBJECTS, sessionOf } from "./conformance.setup.ts";
import {
  CrmFailure,
  type CrmFilter,
  type CrmProvider,
  type CrmRecord,
  type CrmSession,
  type HighWater,
} from "./contract.ts";

/** Reading with a filter, the same for every provider. What each filter means is the matter of tests/database/filters.test.ts. */
describe.each(SUBJECTS)("$id, reading with a filter", (subject) => {
  let mock: Mock;
  let provider: CrmProvider;
  let session: CrmSession;
  let all: CrmRecord[];
  let since: HighWater | null;

  const fields = [subject.nameField, subject.emailField];

  async function read(filter: CrmFilter | undefined, from: HighWater | null, pageSize = 200) {
    const records: CrmRecord[] = [];
    let page = await provider.readPage(session, {
      entity: "contacts",
      fields,
      cursor: null,
      since: from,
      filter,
      pageSize,
    });
    records.push(...page.records);
    while (page.next !== null) {
      const cursor = JSON.parse(JSON.stringify(page.next));
      page = await provider.readPage(session, { entity: "contacts", fields, cursor, since: from, filter, pageSize });
      records.push(...page.records);
    }
    return { records, highWater: page.highWater };
  }

  const startsWith = (letter: string): CrmFilter => ({
    field: subject.nameField,
    type: "string",
    operator: "starts_with",
    values: [letter],
  });
  const nameOf = (record: CrmRecord) => String(record.fields[subject.nameField]);
  const matching = (letter: string) => all.filter((record) => nameOf(record).startsWith(letter)).map(({ id }) => id);
  const letter = () => nameOf(all[0] as CrmRecord).slice(0, 1);

  beforeAll(async () => {
    mock = await subject.start(600);
    provider = providerFor(subject, mock);
    session = sessionOf(mock);
    const whole = await read(undefined, null);
    all = whole.records;
    since = whole.highWater;
  });
  afterAll(() => mock.stop());

  it("a first read brings the records that fulfil it, each once, over many pages", async () => {
    const wanted = matching(letter());
    expect(wanted.length).toBeGreaterThan(1);
    expect(wanted.length).toBeLessThan(all.length);
    const { records } = await read(startsWith(letter()), null, 7);
    expect(records.map(({ id }) => id).sort()).toEqual([...wanted].sort());
  });

  it("brings the fields that were wanted also where the filter asks for others", async () => {
    const filter: CrmFilter = { field: subject.emailField, type: "email", operator: "not_empty", values: [] };
    const page = await provider.readPage(session, {
      entity: "contacts",
      fields: [subject.nameField],
      cursor: null,
      since: null,
      filter,
    });
    expect(page.records.length).toBeGreaterThan(0);
    expect(page.missingFields).toEqual([]);
  });

  it("deletions come whatever the record was like", async () => {
    const [gone] = all.filter((record) => !nameOf(record).startsWith(letter()));
    const [edited] = matching(letter());
    const type = subject.types.contacts;
    mock.control.records([
      { action: "delete", type, id: gone?.id ?? "" },
      { action: "edit", type, id: edited ?? "", fields: { [subject.emailField]: "changed@filter.example" } },
    ]);
    const { records } = await read(startsWith(letter()), since);
    expect(records.find(({ id }) => id === gone?.id)).toMatchObject({ deleted: true });
    expect(records.find(({ id }) => id === edited)).toMatchObject({ deleted: false });
    expect(records.filter((record) => !record.deleted && !nameOf(record).startsWith(letter()))).toEqual([]);
  });

  it("nothing is read where nothing is meant", async () => {
    expect((await read({ any: [] }, null)).records).toEqual([]);
    expect(await provider.count(session, "contacts", null, { any: [] })).toBe(0);
  });

  it("a field that the account does not have is refused by name, before anything is asked", async () => {
    const filter: CrmFilter = { field: "Nope) OR (Id != null", type: "string", operator: "equals", values: ["x"] };
    const before = JSON.stringify(mock.control.counters());
    const refusal = await read(filter, null).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(CrmFailure);
    expect((refusal as CrmFailure).detail).toMatchObject({ kind: "rejected", code: "filter_field_missing" });
    expect(JSON.stringify(mock.control.counters())).toBe(before);
  });
});
