import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Mock } from "../../../../packages/mock-crm/src/index.ts";
import { providerFor, type Subject, sessionOf } from "./conformance.setup.ts";
import type {
  CreateRequest,
  CrmProvider,
  CrmRecord,
  CrmSession,
  EntityType,
  RecordWrite,
  UpdateRequest,
  WriteResult,
} from "./contract.ts";

type Update = UpdateRequest["writes"][number];

/** What a test works on: one mock for the file, emptied after each test. */
interface Bench {
  mock: Mock;
  provider: CrmProvider;
  session: CrmSession;
}

/** A provider with its mock, and short words for what is done with it. */
export function handsOn(subject: Subject) {
  const bench = {} as Bench;
  const { nameField, titleField } = subject;

  beforeAll(async () => {
    bench.mock = await subject.start(20);
    bench.provider = providerFor(subject, bench.mock);
  });
  beforeEach(() => {
    bench.session = sessionOf(bench.mock);
  });
  afterEach(() => bench.mock.control.reset());
  afterAll(() => bench.mock.stop());

  const minimal = (entity: EntityType, name: string) => subject.minimal[entity](name);
  const contact = (key: string, fields: Record<string, unknown> = {}): RecordWrite => ({
    key,
    fields: { [nameField]: `Contact ${key}`, ...fields },
  });
  const create = (writes: RecordWrite[], more: Partial<CreateRequest> = {}) =>
    bench.provider.createRecords(bench.session, { entity: "contacts", writes, ...more });
  const update = (writes: Update[], entity: EntityType = "contacts") =>
    bench.provider.updateRecords(bench.session, { entity, writes });
  const remove = (ids: string[], entity: EntityType = "contacts") =>
    bench.provider.deleteRecords(bench.session, { entity, ids });
  const fetchAll = (ids: string[], entity: EntityType = "contacts", fields: string[] = [nameField, titleField]) =>
    bench.provider.fetchRecords(bench.session, { entity, ids, fields });

  async function make(entity: EntityType, name: string, more: Partial<RecordWrite> = {}): Promise<string> {
    const write = { key: name, ...more, fields: { ...minimal(entity, name), ...more.fields } };
    const [result] = await bench.provider.createRecords(bench.session, { entity, writes: [write] });
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

  async function stageAt(index: number): Promise<{ pipeline: string; id: string }> {
    const stage = (await bench.provider.stages(bench.session))[index];
    return { pipeline: stage?.pipelineId ?? "", id: stage?.id ?? "" };
  }

  return { bench, minimal, contact, create, update, remove, fetchAll, make, seen, byKey, stageAt };
}
