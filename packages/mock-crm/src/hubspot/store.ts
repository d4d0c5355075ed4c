import type { Clock } from "../shared/clock.ts";
import { Associations } from "./associations.ts";
import { Collection } from "./collection.ts";
import { HubSpotError, invalid, invalidProperties, objectNotFound } from "./errors.ts";
import type { HubRecord } from "./record.ts";
import { type ObjectName, type ObjectType, objectTypes } from "./schema/objects.ts";
import { DEAL_STAGES } from "./schema/pipelines.ts";
import type { PropertyDef } from "./schema/property.ts";

export interface HubOwner {
  id: string;
  userId: number;
  email: string;
  firstName: string;
  lastName: string;
}

export interface HubSpotData {
  owners: readonly HubOwner[];
  records: Readonly<Record<ObjectName, readonly HubRecord[]>>;
  ties: readonly (readonly [from: ObjectName, fromId: string, to: ObjectName, toId: string])[];
}

/** Something that happened to a record, in the words of HubSpot's webhooks. */
export interface HubChange extends Record<string, unknown> {
  /** contact, company, deal. */
  type: string;
  kind: "creation" | "propertyChange" | "deletion" | "restore" | "merge" | "associationChange";
  at: number;
  /** Through the API, not by a person. */
  byApp: boolean;
}

export interface HubStoreOptions {
  clock: Clock;
  changed?: (change: HubChange) => void;
  searchLagMs: () => number;
  wrote: () => void;
}

type Properties = Readonly<Record<string, string>>;

/** All records of one account, and the only place that changes them. Values arrive checked. */
export class HubSpotStore {
  readonly associations = new Associations();
  readonly types: readonly ObjectType[] = objectTypes();
  owners: readonly HubOwner[] = [];
  /** Whether the API is writing: a person at the control endpoint is not it. */
  byApp = true;
  private readonly collections = new Map<string, Collection>();
  private readonly options: HubStoreOptions;

  constructor(options: HubStoreOptions) {
    this.options = options;
    for (const type of this.types) {
      const collection = new Collection(type);
      for (const name of [type.name, type.singular, type.typeId]) this.collections.set(name, collection);
    }
  }

  load(data: HubSpotData): void {
    this.owners = data.owners;
    this.associations.clear();
    for (const type of this.types) this.collection(type.name).load(data.records[type.name]);
    for (const tie of data.ties) this.associations.tie(...tie);
    for (const record of this.collection("contacts").live.all) this.copyPrimaryCompany(record);
    for (const record of this.collection("deals").live.all)
      Object.assign(record.properties, stageFacts(record.properties));
  }

  /** By plural, singular or type id, as paths may name an object. */
  collection(name: string): Collection {
    const collection = this.collections.get(name.toLowerCase());
    if (collection === undefined) throw invalid(`Unable to infer object type from: ${name}`);
    return collection;
  }

  live(collection: Collection, id: string): HubRecord {
    const record = collection.get(id);
    if (record === undefined || record.archivedAt !== null) throw objectNotFound();
    return record;
  }

  addProperty(collection: Collection, definition: PropertyDef): void {
    if (collection.type.properties.has(definition.name)) {
      throw new HubSpotError(409, "OBJECT_ALREADY_EXISTS", `Property ${definition.name} already exists`);
    }
    collection.type.properties.set(definition.name, definition);
    if (definition.hasUniqueValue) collection.addUniqueProperty(definition.name);
  }

  create(collection: Collection, properties: Properties): HubRecord {
    const record = this.insert(collection, properties);
    this.tell(collection, "creation", { objectId: record.number, changeFlag: "NEW" });
    return record;
  }

  private insert(collection: Collection, properties: Properties): HubRecord {
    this.refuseTaken(collection, properties, null);
    const now = this.now();
    const number = collection.takeNumber();
    const record: HubRecord = {
      id: String(number),
      number,
      properties: { ...withoutEmpty(properties), ...this.derived(collection, properties) },
      createdAt: now,
      updatedAt: now,
      archivedAt: null,
      history: null,
    };
    this.lagBehind(collection, record.id, null);
    collection.add(record);
    this.options.wrote();
    return record;
  }

  update(collection: Collection, record: HubRecord, properties: Properties): void {
    this.refuseTaken(collection, properties, record);
    this.write(collection, record, {
      ...properties,
      ...this.derived(collection, { ...record.properties, ...properties }),
    });
  }

  /** Many records, one re-index; no unique property may be among the values. */
  updateMany(collection: Collection, records: readonly HubRecord[], properties: (at: number) => Properties): void {
    const now = this.now();
    collection.changeMany(() => {
      records.forEach((record, at) => {
        this.lagBehind(collection, record.id, record);
        this.tellChanges(collection, record, apply(record, properties(at), now));
        this.options.wrote();
      });
    });
  }

  archive(collection: Collection, record: HubRecord): void {
    this.lagBehind(collection, record.id, record);
    collection.archive(record, this.now());
    this.options.wrote();
    this.tell(collection, "deletion", { objectId: record.number, changeFlag: "DELETED" });
  }

  restore(collection: Collection, record: HubRecord): void {
    if (record.archivedAt === null) return;
    collection.restore(record, this.now());
    this.options.wrote();
    this.tell(collection, "restore", { objectId: record.number, changeFlag: "RESTORED" });
  }

  /** Both records become a new one that holds the winner's values, gaps filled from the other. */
  merge(collection: Collection, winner: HubRecord, loser: HubRecord): HubRecord {
    const name = collection.type.name;
    const gone = [winner, loser];
    for (const record of gone) {
      this.lagBehind(collection, record.id, record);
      collection.drop(record);
    }
    const merged = this.insert(collection, mergedProperties(collection.type, winner, loser, this.now()));
    for (const record of gone) {
      this.associations.move(name, record.id, merged.id);
      collection.mergedInto.set(record.id, merged.id);
    }
    if (name === "contacts") this.copyPrimaryCompany(merged);
    if (name === "companies") this.showOnContacts(merged);
    this.tell(collection, "merge", {
      objectId: winner.number,
      primaryObjectId: winner.number,
      mergedObjectIds: [loser.number],
      newObjectId: merged.number,
    });
    return merged;
  }

  tie(from: Collection, fromId: string, to: Collection, toId: string, typeIds?: readonly number[]): void {
    const record = this.live(from, fromId);
    const target = this.live(to, toId);
    this.associations.tie(from.type.name, record.id, to.type.name, target.id, typeIds);
    this.touchTied(from, record, to, target);
    this.tellTied(from, record, to, target, false);
  }

  untie(from: Collection, fromId: string, to: Collection, toId: string): void {
    const record = this.live(from, fromId);
    const target = this.live(to, toId);
    this.associations.untie(from.type.name, record.id, to.type.name, target.id);
    this.touchTied(from, record, to, target);
    this.tellTied(from, record, to, target, true);
  }

  now(): number {
    return this.options.clock.now();
  }

  /** A change of the primary company shows in the contact's own properties, which counts as an edit of it. */
  private touchTied(from: Collection, record: HubRecord, to: Collection, target: HubRecord): void {
    if (from === to) {
      for (const company of [record, target]) this.copyParent(from, company);
      return;
    }
    const contact = [[from, record] as const, [to, target] as const].find(([side]) => side.type.name === "contacts");
    if (contact === undefined) return;
    const company = this.associations.primary("contacts", contact[1].id, "companies") ?? "";
    if (company === (contact[1].properties.associatedcompanyid ?? "")) return;
    this.write(contact[0], contact[1], { associatedcompanyid: company });
  }

  private copyParent(companies: Collection, company: HubRecord): void {
    const parent = this.associations.parent(company.id) ?? "";
    if (parent === (company.properties.hs_parent_company_id ?? "")) return;
    this.write(companies, company, { hs_parent_company_id: parent });
  }

  private showOnContacts(company: HubRecord): void {
    const contacts = this.collection("contacts");
    for (const { toId } of this.associations.of("companies", company.id, "contacts")) {
      const contact = contacts.get(toId);
      if (contact !== undefined) this.copyPrimaryCompany(contact);
    }
  }

  private copyPrimaryCompany(contact: HubRecord): void {
    const company = this.associations.primary("contacts", contact.id, "companies");
    if (company !== null) contact.properties.associatedcompanyid = company;
  }

  private write(collection: Collection, record: HubRecord, properties: Properties): void {
    this.lagBehind(collection, record.id, record);
    let changed: string[] = [];
    collection.change(record, () => {
      changed = apply(record, properties, this.now());
    });
    this.options.wrote();
    this.tellChanges(collection, record, changed);
  }

  private tell(collection: Collection, kind: HubChange["kind"], facts: Record<string, unknown>): void {
    this.options.changed?.({ type: collection.type.singular, kind, at: this.now(), byApp: this.byApp, ...facts });
  }

  private tellChanges(collection: Collection, record: HubRecord, names: readonly string[]): void {
    for (const propertyName of names) {
      const propertyValue = record.properties[propertyName] ?? "";
      this.tell(collection, "propertyChange", { objectId: record.number, propertyName, propertyValue });
    }
  }

  private tellTied(from: Collection, record: HubRecord, to: Collection, target: HubRecord, removed: boolean): void {
    const associationType = `${from.type.singular}_TO_${to.type.singular}`.toUpperCase();
    const ids = { fromObjectId: record.number, toObjectId: target.number };
    this.tell(from, "associationChange", { associationType, ...ids, associationRemoved: removed });
  }

  private derived(collection: Collection, properties: Properties): Properties {
    return collection.type.name === "deals" ? stageFacts(properties) : {};
  }

  private lagBehind(collection: Collection, id: string, before: HubRecord | null): void {
    const lag = this.options.searchLagMs();
    if (lag === 0) return;
    const known = collection.unindexed.get(id);
    const shown = known !== undefined ? known.before : before === null ? null : snapshot(before);
    collection.unindexed.set(id, { visibleAt: this.now() + lag, before: shown });
  }

  /** Refuses values that another record already holds in a unique property. */
  refuseTaken(collection: Collection, properties: Properties, own: HubRecord | null): void {
    for (const name of collection.uniqueProperties) {
      const value = properties[name];
      if (value === undefined || value === "") continue;
      const holder = collection.find(name, value);
      if (holder === undefined || holder === own) continue;
      if (name === "email") {
        throw new HubSpotError(409, "CONFLICT", `Contact already exists. Existing ID: ${holder.id}`);
      }
      const message = `Cannot set PropertyValueCoordinates for ${name}; value ${value} is already held by ${holder.id}`;
      throw invalidProperties([{ name, error: "CONFLICTING_UNIQUE_VALUE", message }]);
    }
  }
}

/** Answers the names of what really changed. */
function apply(record: HubRecord, properties: Properties, now: number): string[] {
  const changed: string[] = [];
  const history = record.history ?? new Map();
  for (const [name, value] of Object.entries(properties)) {
    const old = record.properties[name] ?? "";
    if (old === value) continue;
    changed.push(name);
    const versions = history.get(name) ?? [{ value: old, at: record.createdAt }];
    history.set(name, [{ value, at: now }, ...versions]);
    if (value === "") delete record.properties[name];
    else record.properties[name] = value;
  }
  record.history = history;
  record.updatedAt = now;
  return changed;
}

function snapshot(record: HubRecord): HubRecord {
  return { ...record, properties: { ...record.properties } };
}

function withoutEmpty(properties: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== ""));
}

function stageFacts(properties: Properties): Record<string, string> {
  const stage = DEAL_STAGES.find(({ id }) => id === properties.dealstage);
  if (stage === undefined) return {};
  const won = stage.closed && stage.probability === "1.0";
  return {
    hs_deal_stage_probability: String(Number(stage.probability)),
    hs_is_closed: String(stage.closed),
    hs_is_closed_won: String(won),
  };
}

function mergedProperties(type: ObjectType, winner: HubRecord, loser: HubRecord, now: number): Record<string, string> {
  const list = (...parts: (string | undefined)[]) =>
    parts.filter((part) => part !== undefined && part !== "").join(";");
  const ids = [winner.properties.hs_merged_object_ids, loser.properties.hs_merged_object_ids, winner.id, loser.id];
  const merged: Record<string, string> = {
    ...loser.properties,
    ...winner.properties,
    hs_merged_object_ids: list(...ids),
  };
  if (type.name !== "contacts") return merged;
  const second = loser.properties.email === merged.email ? undefined : loser.properties.email;
  const emails = list(winner.properties.hs_additional_emails, loser.properties.hs_additional_emails, second);
  const vids = [winner, loser].map((record) => `${record.id}:${now}`);
  return {
    ...merged,
    hs_calculated_merged_vids: list(...vids),
    ...(emails === "" ? {} : { hs_additional_emails: emails }),
  };
}
