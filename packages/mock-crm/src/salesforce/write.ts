import { notFound, SalesforceError } from "./errors.ts";
import type { Row } from "./row.ts";
import type { ObjectDef } from "./schema/object.ts";
import type { SalesforceStore } from "./store.ts";
import { checkedValues } from "./validate.ts";

export type Body = Readonly<Record<string, unknown>>;

/** Checked writes in the name of a user: the API routes and the control endpoint share them. */
export class Writer {
  readonly store: SalesforceStore;
  private readonly userId: string;
  private readonly readOnly: () => readonly string[];

  constructor(store: SalesforceStore, userId: string, readOnly: () => readonly string[] = () => []) {
    this.store = store;
    this.userId = userId;
    this.readOnly = readOnly;
  }

  create(object: ObjectDef, body: Body): Row {
    this.refuseReadOnly(object);
    const values = checkedValues(this.store, object, body, "create");
    this.store.table(object.name).checkUnique(values, null);
    return this.store.insert(object.name, values, this.userId);
  }

  update(object: ObjectDef, id: string, body: Body): Row {
    this.refuseReadOnly(object);
    const row = this.store.live(object.name, id);
    const values = checkedValues(this.store, object, body, "update");
    this.store.table(object.name).checkUnique(values, row.Id);
    this.store.update(object.name, row, values, this.userId);
    return row;
  }

  upsert(object: ObjectDef, externalField: string, value: string, body: Body, updateOnly = false) {
    const field = object.byName.get(externalField.toLowerCase());
    if (field === undefined || !field.externalId) {
      const message = `Field name provided, ${externalField} does not match an External ID, Salesforce Id, or indexed field for ${object.name}`;
      throw new SalesforceError("INVALID_FIELD", message);
    }
    const holder = this.store.table(object.name).findUnique(field.name, value);
    if (holder !== undefined) return { row: this.update(object, holder.Id, body), created: false };
    if (updateOnly) throw notFound();
    return { row: this.create(object, { ...body, [field.name]: value }), created: true };
  }

  delete(object: ObjectDef, id: string): Row {
    this.refuseReadOnly(object);
    const row = this.store.live(object.name, id);
    if (!object.writable)
      throw new SalesforceError("INSUFFICIENT_ACCESS_OR_READONLY", "entity type cannot be deleted", 403);
    this.store.delete(object.name, row);
    return row;
  }

  private refuseReadOnly({ name }: ObjectDef): void {
    if (!this.readOnly().includes(name)) return;
    throw new SalesforceError("INSUFFICIENT_ACCESS_OR_READONLY", `insufficient access rights on ${name}`, 403);
  }
}
