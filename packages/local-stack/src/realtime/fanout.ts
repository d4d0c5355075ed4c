import type { Sql } from "postgres";
import { changeData, createView, errorData, type RenderedChange, type View } from "./change-payload.ts";
import { untilVisible } from "./committed.ts";
import type { Filter } from "./filters.ts";
import { type Image, renderImages } from "./images.ts";
import type { Subscription, SubscriptionRegistry } from "./subscriptions.ts";
import { keyColumns, readTableFacts, type TableFacts } from "./table-facts.ts";
import { type Viewer, visibleRows } from "./visibility.ts";
import type { Change } from "./wal.ts";

export interface FanoutDeps {
  sql: Sql;
  subscriptions: SubscriptionRegistry;
  log: (line: string) => void;
}

/** Everyone a change goes to, with the payload for each. */
interface Delivery {
  subscription: Subscription;
  data: string;
}

const NO_PRIMARY_KEY = "Error 400: Bad Request, no primary key";
const UNAUTHORIZED = "Error 401: Unauthorized";

/** Judges a batch table by table, then delivers in commit order. */
export async function deliverBatch(deps: FanoutDeps, batch: Change[]): Promise<void> {
  await untilVisible(
    deps.sql,
    batch.map((change) => change.transaction),
  );
  const deliveries = new Map<Change, Delivery[]>();
  const tables = groupBy(batch, (change) => change.relation);
  await Promise.all([...tables.values()].map((changes) => judgeTable(deps, changes, deliveries)));
  for (const change of batch) send(deliveries.get(change) ?? []);
}

/** One message per channel and payload, naming all subscriptions of the channel that asked for it. */
function send(deliveries: Delivery[]): void {
  for (const [subscriber, own] of groupBy(deliveries, (delivery) => delivery.subscription.subscriber)) {
    for (const [data, same] of groupBy(own, (delivery) => delivery.data)) {
      subscriber.sendChange([...new Set(same.map((delivery) => delivery.subscription.id))], data);
    }
  }
}

async function judgeTable(deps: FanoutDeps, changes: Change[], deliveries: Map<Change, Delivery[]>): Promise<void> {
  const relation = changes[0]?.relation;
  const subscriptions = relation ? deps.subscriptions.forTable(relation.relationOid) : [];
  if (relation === undefined || subscriptions.length === 0) return;
  // Viewers are noted once: a token refreshed while the batch is judged counts from the next batch on.
  const groups = [...groupBy(subscriptions, (one) => one.subscriber.viewer.claimsText).values()].flatMap((group) =>
    group[0] ? [{ viewer: group[0].subscriber.viewer, group }] : [],
  );
  await reportingFailure(deps, relation, subscriptions, async () => {
    const roles = [...new Set(groups.map(({ viewer }) => viewer.role))];
    const facts = await readTableFacts(deps.sql, relation, roles);
    if (facts === null) throw new Error("the table no longer exists");
    const filterSets = new Map(subscriptions.map((one) => [one.filterKey, one.filters]));
    const rendered = await renderChanges(deps.sql, facts, changes, [...filterSets.values()]);
    const table = new TableJudgement(facts, rendered, [...filterSets.keys()], deliveries);
    await Promise.all(
      groups.map(({ viewer, group }) =>
        reportingFailure(deps, relation, group, () => table.judge(deps.sql, viewer, group)),
      ),
    );
  });
}

/** A policy that fails must not stop the stream; those who miss changes because of it are told. */
async function reportingFailure(
  deps: FanoutDeps,
  relation: Change["relation"],
  subscriptions: Subscription[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Changes of ${relation.schema}.${relation.name} could not be delivered`;
    deps.log(`realtime: ${message}: ${reason}`);
    for (const subscriber of new Set(subscriptions.map((one) => one.subscriber))) subscriber.reportInterrupted(message);
  }
}

async function renderChanges(
  sql: Sql,
  facts: TableFacts,
  changes: Change[],
  filterSets: (readonly Filter[])[],
): Promise<RenderedChange[]> {
  const relation = changes[0]?.relation;
  if (relation === undefined) return [];
  const tuples = changes.flatMap((change) => [change.record, change.identity]).filter((tuple) => tuple !== null);
  const images = await renderImages(sql, relation, facts, tuples, filterSets);
  const byTuple = new Map(tuples.map((tuple, index) => [tuple, images[index]]));
  const imageOf = (tuple: Change["record"]) => (tuple === null ? null : (byTuple.get(tuple) ?? null));
  return changes.map((change) => ({
    change,
    record: imageOf(change.record),
    identity: imageOf(change.identity),
  }));
}

class TableJudgement {
  readonly #facts: TableFacts;
  readonly #rendered: RenderedChange[];
  readonly #filterKeys: string[];
  readonly #deliveries: Map<Change, Delivery[]>;
  readonly #views = new Map<string, View>();
  readonly #data = new Map<View, Map<Change, string>>();

  constructor(
    facts: TableFacts,
    rendered: RenderedChange[],
    filterKeys: string[],
    deliveries: Map<Change, Delivery[]>,
  ) {
    this.#facts = facts;
    this.#rendered = rendered;
    this.#filterKeys = filterKeys;
    this.#deliveries = deliveries;
  }

  async judge(sql: Sql, viewer: Viewer, group: Subscription[]): Promise<void> {
    const refusal = this.#refusal(viewer.role);
    const matching = this.#rendered.map((one) => group.filter((subscription) => this.#matches(one, subscription)));
    const checked = this.#rendered.filter(
      (one, index) => refusal === null && one.change.kind !== "DELETE" && (matching[index]?.length ?? 0) > 0,
    );
    const visible = await this.#visible(sql, viewer, checked);
    this.#rendered.forEach((one, index) => {
      if (one.change.kind !== "DELETE" && refusal !== null) this.#refuse(one.change, group, refusal);
      else if (one.change.kind === "DELETE" || visible.has(one)) this.#deliver(one, viewer.role, matching[index] ?? []);
    });
  }

  #refusal(role: string): string | null {
    const keys = keyColumns(this.#facts);
    if (keys.length === 0) return NO_PRIMARY_KEY;
    return keys.every((key) => key.selectableBy.includes(role)) ? null : UNAUTHORIZED;
  }

  #matches(one: RenderedChange, subscription: Subscription): boolean {
    const image: Image | null = one.record ?? one.identity;
    const passes = image?.passes[this.#filterKeys.indexOf(subscription.filterKey)];
    return wantsKind(subscription, one.change) && passes === true;
  }

  async #visible(sql: Sql, viewer: Viewer, checked: RenderedChange[]): Promise<Set<RenderedChange>> {
    const relation = checked[0]?.change.relation;
    if (relation === undefined || !this.#facts.rowSecurity) return new Set(checked);
    const positions = await visibleRows(
      sql,
      { schema: relation.schema, name: relation.name, facts: this.#facts },
      viewer,
      checked.map((one) => one.change.record ?? {}),
    );
    return new Set(checked.filter((_, index) => positions.has(index)));
  }

  /** Filters play no part: whoever listens is told that it will never get a row of this table. */
  #refuse(change: Change, group: Subscription[], message: string): void {
    for (const subscription of group.filter((one) => wantsKind(one, change))) {
      this.#add(change, { subscription, data: errorData(change, message) });
    }
  }

  #deliver(one: RenderedChange, role: string, subscriptions: Subscription[]): void {
    for (const subscription of subscriptions) {
      this.#add(one.change, { subscription, data: this.#dataFor(one, this.#viewFor(role, subscription.select)) });
    }
  }

  #add(change: Change, delivery: Delivery): void {
    const known = this.#deliveries.get(change);
    if (known) known.push(delivery);
    else this.#deliveries.set(change, [delivery]);
  }

  #viewFor(role: string, select: readonly string[] | null): View {
    const key = JSON.stringify([role, select]);
    const view = this.#views.get(key) ?? createView(this.#facts, role, select);
    this.#views.set(key, view);
    return view;
  }

  #dataFor(one: RenderedChange, view: View): string {
    const ofView = this.#data.get(view) ?? new Map<Change, string>();
    this.#data.set(view, ofView);
    const data = ofView.get(one.change) ?? changeData(one, view);
    ofView.set(one.change, data);
    return data;
  }
}

function wantsKind(subscription: Subscription, change: Change): boolean {
  return subscription.event === "*" || subscription.event === change.kind;
}

function groupBy<T, K>(items: T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
