import type { Clock } from "../shared/clock.ts";
import { type Derive, deriveFor } from "./derive.ts";
import { notFound, SalesforceError } from "./errors.ts";
import { makeId } from "./ids.ts";
import { type FieldValue, isDeleted, type Row, rowFactory, stamp } from "./row.ts";
import type { ObjectDef } from "./schema/object.ts";
import type { OrgSchema } from "./schema/org-schema.ts";
import type { StageDef } from "./schema/stages.ts";
import { ObjectTable } from "./table.ts";

export type Values = Readonly<Record<string, FieldValue>>;
/** Rows by object name; each row carries its own Id. */
export type SalesforceData = Readonly<Record<string, readonly Values[]>>;

export interface StoreOptions {
  schema: OrgSchema;
  stages: readonly StageDef[];
  clock: Clock;
  wrote: () => void;
  changed?: (object: string, row: Row) => void;
}

interface Write {
  name: string;
  row: Row;
  takeBack: () => void;
}

/** All rows of one org, and the only place that changes them. Values arrive checked. */
export class SalesforceStore {
  readonly schema: OrgSchema;
  readonly stages: readonly StageDef[];
  private readonly tables = new Map<string, ObjectTable>();
  private readonly factories = new Map<string, (values: Values) => Row>();
  private readonly derives = new Map<string, Derive>();
  private readonly clock: Clock;
  private readonly wrote: () => void;
  private readonly changed: (object: string, row: Row) => void;
  /** How to take back each write of the transaction at hand, or null outside one. */
  private undo: Write[] | null = null;

  constructor(options: StoreOptions) {
    this.schema = options.schema;
    this.stages = options.stages;
    this.clock = options.clock;
    this.wrote = options.wrote;
    this.changed = options.changed ?? (() => undefined);
    for (const object of options.schema.values()) {
      this.tables.set(object.name, new ObjectTable(object));
      this.factories.set(object.name, rowFactory(object));
      this.derives.set(object.name, deriveFor(object.name, options.stages));
    }
  }

  load(data: SalesforceData): void {
    for (const [name, table] of this.tables) {
      const make = this.factory(name);
      const derive = this.derive(name);
      const rows = (data[name] ?? []).map((values) => {
        const row = make(values);
        derive(row, NOTHING);
        return row;
      });
      table.load(rows);
    }
  }

  /** The object as named in a path or query, in any case. */
  object(name: string): ObjectDef {
    const object = this.schema.get(name.toLowerCase());
    if (object === undefined) throw notFound();
    return object;
  }

  table(name: string): ObjectTable {
    const table = this.tables.get(name);
    if (table === undefined) throw notFound();
    return table;
  }

  live(name: string, id: string): Row {
    const row = this.table(name).get(id);
    if (row === undefined) throw notFound();
    if (isDeleted(row)) throw new SalesforceError("ENTITY_IS_DELETED", "entity is deleted", 404);
    return row;
  }

  insert(name: string, values: Values, userId: string): Row {
    const table = this.table(name);
    const now = this.now();
    const row = this.factory(name)({
      OwnerId: userId,
      ...values,
      Id: makeId(table.object.keyPrefix, table.nextSequence()),
      CreatedDate: now,
      CreatedById: userId,
      LastModifiedDate: now,
      LastModifiedById: userId,
      SystemModstamp: now,
    });
    this.derive(name)(row, new Set(Object.keys(values)));
    table.add(row);
    this.written({ name, row, takeBack: () => table.drop(row) });
    return row;
  }

  update(name: string, row: Row, values: Values, userId: string): void {
    this.write(name, row, { ...values, LastModifiedDate: this.now(), LastModifiedById: userId });
  }

  /** Many rows, one re-index; no unique field may be among the values. */
  updateMany(name: string, rows: readonly Row[], values: (row: Row, at: number) => Values, userId: string): void {
    const now = this.now();
    const derive = this.derive(name);
    this.table(name).changeMany(() => {
      rows.forEach((row, at) => {
        const changed = values(row, at);
        Object.assign(row, changed, { LastModifiedDate: now, LastModifiedById: userId, SystemModstamp: now });
        derive(row, new Set(Object.keys(changed)));
        this.kept(name, row);
      });
    });
  }

  /** To the recycle bin, with the rows that hang on it. */
  delete(name: string, row: Row): void {
    this.write(name, row, { IsDeleted: true });
    for (const [child, field] of this.referencesTo(name)) {
      if (!field.cascadeDelete) continue;
      for (const dependent of this.pointingAt(child, field.name, row.Id)) this.delete(child, dependent);
    }
  }

  undelete(name: string, row: Row): void {
    for (const [child, field] of this.referencesTo(name)) {
      if (!field.cascadeDelete) continue;
      for (const dependent of this.pointingAt(child, field.name, row.Id, true)) this.undelete(child, dependent);
    }
    this.write(name, row, { IsDeleted: false });
  }

  /** Losers go to the recycle bin and name the winner; what pointed at them points at the winner. */
  merge(name: string, winner: Row, losers: readonly Row[]): void {
    for (const loser of losers) {
      for (const [child, field] of this.referencesTo(name)) {
        if (field.name === "MasterRecordId") continue;
        for (const dependent of this.pointingAt(child, field.name, loser.Id)) {
          this.write(child, dependent, { [field.name]: winner.Id });
        }
      }
      this.write(name, loser, { IsDeleted: true, MasterRecordId: winner.Id });
    }
    this.write(name, winner, { LastModifiedDate: this.now() });
  }

  counts(): Record<string, { live: number; deleted: number }> {
    const entries = [...this.tables].map(([name, table]) => {
      const deleted = table.byId.all.filter(isDeleted).length;
      return [name, { live: table.byId.all.length - deleted, deleted }] as const;
    });
    return Object.fromEntries(entries);
  }

  now(): string {
    return stamp(this.clock.now());
  }

  /** Runs several writes and takes all of them back when they are not to be kept. */
  transaction<T>(work: () => { keep: boolean; value: T }, undone: (value: T) => T): T {
    const undo: Write[] = [];
    this.undo = undo;
    try {
      const { keep, value } = work();
      if (!keep) for (const { takeBack } of undo.reverse()) takeBack();
      else for (const { name, row } of undo) this.kept(name, row);
      return keep ? value : undone(value);
    } finally {
      this.undo = null;
    }
  }

  private write(name: string, row: Row, values: Values): void {
    const table = this.table(name);
    const before = { ...row };
    table.change(row, () => {
      Object.assign(row, values, { SystemModstamp: this.now() });
      this.derive(name)(row, new Set(Object.keys(values)));
    });
    this.written({ name, row, takeBack: () => table.change(row, () => Object.assign(row, before)) });
  }

  private written(write: Write): void {
    if (this.undo === null) this.kept(write.name, write.row);
    else this.undo.push(write);
  }

  private kept(name: string, row: Row): void {
    this.wrote();
    this.changed(name, row);
  }

  private *referencesTo(name: string) {
    for (const object of this.schema.values()) {
      for (const field of object.fields) if (field.referenceTo === name) yield [object.name, field] as const;
    }
  }

  private pointingAt(child: string, fieldName: string, id: string, deleted = false): Row[] {
    return this.table(child).byId.all.filter((row) => row[fieldName] === id && isDeleted(row) === deleted);
  }

  private factory(name: string): (values: Values) => Row {
    return (
      this.factories.get(name) ??
      (() => {
        throw notFound();
      })
    );
  }

  private derive(name: string): Derive {
    return this.derives.get(name) ?? (() => undefined);
  }
}

const NOTHING: ReadonlySet<string> = new Set();
