import { SortedIndex } from "../shared/sorted-index.ts";
import type { HubRecord } from "./record.ts";
import type { ObjectType } from "./schema/objects.ts";

/** What search still shows of a record whose last write it has not indexed: the version before, or null for none. */
export interface Unindexed {
  visibleAt: number;
  before: HubRecord | null;
}

/** The records of one object type with the orders that lists and searches ask for. */
export class Collection {
  readonly type: ObjectType;
  readonly live = new SortedIndex<HubRecord>((left, right) => left.number - right.number);
  readonly archived = new SortedIndex<HubRecord>((left, right) => left.number - right.number);
  readonly byModified = new SortedIndex<HubRecord>(
    (left, right) => left.updatedAt - right.updatedAt || left.number - right.number,
  );
  readonly unindexed = new Map<string, Unindexed>();
  /** Old id → the record that a merge made of it. */
  readonly mergedInto = new Map<string, string>();
  /** Grows with each write, so a kept search result knows when it is stale. */
  version = 0;
  private records = new Map<string, HubRecord>();
  private readonly unique = new Map<string, Map<string, HubRecord>>();
  private nextNumber: number;

  constructor(type: ObjectType) {
    this.type = type;
    this.nextNumber = type.firstId;
    for (const definition of type.properties.values()) {
      if (definition.hasUniqueValue) this.unique.set(definition.name, new Map());
    }
  }

  addUniqueProperty(name: string): void {
    this.unique.set(name, new Map());
  }

  takeNumber(): number {
    this.nextNumber += 1;
    return this.nextNumber - 1;
  }

  load(records: readonly HubRecord[]): void {
    this.records = new Map(records.map((record) => [record.id, record]));
    this.nextNumber = Math.max(this.type.firstId, ...records.slice(-1).map((record) => record.number + 1));
    this.live.load(records);
    this.archived.load([]);
    this.byModified.load(records);
    this.unindexed.clear();
    this.mergedInto.clear();
    for (const holders of this.unique.values()) holders.clear();
    for (const record of records) this.claim(record);
    this.version += 1;
  }

  /** Follows merges: an old id answers with the survivor. */
  get(id: string): HubRecord | undefined {
    const survivor = this.mergedInto.get(id);
    return survivor === undefined ? this.records.get(id) : this.get(survivor);
  }

  find(property: string, value: string): HubRecord | undefined {
    return this.unique.get(property)?.get(value.toLowerCase());
  }

  get uniqueProperties(): string[] {
    return [...this.unique.keys()];
  }

  add(record: HubRecord): void {
    this.records.set(record.id, record);
    this.live.add(record);
    this.byModified.add(record);
    this.claim(record);
    this.version += 1;
  }

  change(record: HubRecord, change: () => void): void {
    this.release(record);
    this.byModified.move(record, change);
    this.claim(record);
    this.version += 1;
  }

  /** For changes of thousands of records that touch no unique property. */
  changeMany(change: () => void): void {
    this.byModified.moveMany(change);
    this.version += 1;
  }

  archive(record: HubRecord, at: number): void {
    this.takeOut(record);
    record.archivedAt = at;
    record.updatedAt = at;
    this.archived.add(record);
  }

  restore(record: HubRecord, at: number): void {
    this.archived.remove(record);
    record.archivedAt = null;
    record.updatedAt = at;
    this.add(record);
  }

  /** Gone for good: merged away. */
  drop(record: HubRecord): void {
    this.takeOut(record);
    this.records.delete(record.id);
  }

  private takeOut(record: HubRecord): void {
    this.release(record);
    this.live.remove(record);
    this.byModified.remove(record);
    this.version += 1;
  }

  private claim(record: HubRecord): void {
    for (const [name, holders] of this.unique) {
      for (const value of uniqueValues(record, name)) if (!holders.has(value)) holders.set(value, record);
    }
  }

  private release(record: HubRecord): void {
    for (const [name, holders] of this.unique) {
      for (const value of uniqueValues(record, name)) if (holders.get(value) === record) holders.delete(value);
    }
  }
}

/** A contact also answers to its secondary addresses. */
function uniqueValues(record: HubRecord, name: string): string[] {
  const own = record.properties[name];
  const more = name === "email" ? (record.properties.hs_additional_emails ?? "").split(";") : [];
  return [own ?? "", ...more].filter((value) => value !== "").map((value) => value.toLowerCase());
}
