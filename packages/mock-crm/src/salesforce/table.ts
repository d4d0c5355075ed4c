import { SortedIndex } from "../shared/sorted-index.ts";
import { SalesforceError } from "./errors.ts";
import { toId18 } from "./ids.ts";
import type { Row } from "./row.ts";
import type { ObjectDef } from "./schema/object.ts";

const text = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

/** The rows of one object with the orders that queries ask for. */
export class ObjectTable {
  readonly object: ObjectDef;
  readonly byId = new SortedIndex<Row>((left, right) => text(left.Id, right.Id));
  readonly byModified = new SortedIndex<Row>(
    (left, right) => text(left.SystemModstamp, right.SystemModstamp) || text(left.Id, right.Id),
  );
  private rows = new Map<string, Row>();
  private readonly unique = new Map<string, Map<string, Row>>();
  private sequence = 0;

  constructor(object: ObjectDef) {
    this.object = object;
    for (const field of object.fields) if (field.unique) this.unique.set(field.name, new Map());
  }

  nextSequence(): number {
    this.sequence += 1;
    return this.sequence;
  }

  load(rows: readonly Row[]): void {
    this.rows = new Map(rows.map((row) => [row.Id, row]));
    this.sequence = rows.length;
    this.byId.load(rows);
    this.byModified.load(rows);
    for (const row of rows) this.claimUnique(row);
  }

  get(id: string): Row | undefined {
    return this.rows.get(id) ?? this.rows.get(toId18(id) ?? "");
  }

  add(row: Row): void {
    this.claimUnique(row);
    this.rows.set(row.Id, row);
    this.byId.add(row);
    this.byModified.add(row);
  }

  change(row: Row, change: () => void): void {
    this.releaseUnique(row);
    this.byModified.move(row, change);
    this.claimUnique(row);
  }

  drop(row: Row): void {
    this.releaseUnique(row);
    this.rows.delete(row.Id);
    this.byId.remove(row);
    this.byModified.remove(row);
  }

  /** For changes of thousands of rows that touch no unique field. */
  changeMany(change: () => void): void {
    this.byModified.moveMany(change);
  }

  findUnique(fieldName: string, value: string): Row | undefined {
    return this.unique.get(fieldName)?.get(value.toLowerCase());
  }

  /** Refuses values that another row already holds in a unique field. */
  checkUnique(values: Readonly<Record<string, unknown>>, ownId: string | null): void {
    for (const fieldName of this.unique.keys()) {
      const value = values[fieldName];
      if (value === undefined || value === null) continue;
      const holder = this.findUnique(fieldName, String(value));
      if (holder === undefined || holder.Id === ownId) continue;
      const message = `duplicate value found: ${fieldName} duplicates value on record with id: ${holder.Id}`;
      throw new SalesforceError("DUPLICATE_VALUE", message, 400, [fieldName]);
    }
  }

  private claimUnique(row: Row): void {
    if (row.IsDeleted === true) return;
    for (const [fieldName, holders] of this.unique) {
      const value = row[fieldName];
      if (typeof value === "string") holders.set(value.toLowerCase(), row);
    }
  }

  private releaseUnique(row: Row): void {
    for (const [fieldName, holders] of this.unique) {
      const value = row[fieldName];
      if (typeof value === "string" && holders.get(value.toLowerCase()) === row) holders.delete(value.toLowerCase());
    }
  }
}
