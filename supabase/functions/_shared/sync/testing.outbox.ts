import type { EntityType } from "../crm/contract.ts";
import type { Json } from "./json.ts";
import { NOTHING_SENT } from "./push/results.ts";
import type { DirtyRow, OutboundItem, OutboundResult, Page, PushCounts, WhichItems } from "./store.ts";

/** One record of ours with its link and its place in the outbox. */
export interface OurRecord {
  key: string;
  entity: EntityType;
  values: Record<string, Json>;
  deleted: boolean;
  crmId: string | null;
  base: Record<string, Json>;
  queued: boolean;
  version: number;
  /** Epoch milliseconds. */
  notBefore: number;
  intentAt: number | null;
  shown: Record<string, { app: Json; crm: Json }>;
}

/** The outbox, the links and the dirty list, as the database keeps them, without its filters and conflicts: the CRM wins. */
export class FakeOutbox {
  readonly ours: OurRecord[] = [];
  readonly dirty = new Map<string, DirtyRow & { entity: EntityType }>();
  readonly settled: OutboundResult[] = [];
  now: () => number = () => 0;

  /** An edit of ours, or a new record. */
  edit(entity: EntityType, key: string, values: Record<string, Json>, crmId: string | null = null): OurRecord {
    const known = this.ours.find((one) => one.key === key);
    const base = crmId === null ? {} : { ...values };
    const record = known ?? { key, entity, values: {}, deleted: false, crmId, base, version: 0, shown: {}, ...DUE };
    if (known === undefined) this.ours.push(record);
    Object.assign(record, {
      values: { ...record.values, ...values },
      version: record.version + 1,
      queued: true,
      notBefore: 0,
    });
    return record;
  }

  remove(key: string): void {
    const record = this.ours.find((one) => one.key === key);
    if (record !== undefined)
      Object.assign(record, { deleted: true, version: record.version + 1, queued: true, notBefore: 0 });
  }

  markDirty(entity: EntityType, crm_id: string): void {
    const version = String(Number(this.dirty.get(crm_id)?.version ?? 0) + 1);
    this.dirty.set(crm_id, { entity, crm_id, version });
  }

  dueDirty(entity: EntityType, limit: number): DirtyRow[] {
    const due = [...this.dirty.values()].filter((one) => one.entity === entity);
    return due.slice(0, limit).map(({ crm_id, version }) => ({ crm_id, version }));
  }

  settleDirty(_entity: EntityType, done: readonly DirtyRow[]): void {
    for (const { crm_id, version } of done) if (this.dirty.get(crm_id)?.version === version) this.dirty.delete(crm_id);
  }

  due(entity: EntityType): OurRecord[] {
    return this.ours.filter((one) => one.entity === entity && one.queued && one.notBefore <= this.now());
  }

  take(entity: EntityType, limit: number, { records, except = [] }: WhichItems = {}): OutboundItem[] {
    const named = (one: OurRecord) => one.queued && records?.includes(one.key);
    const due = () => this.due(entity).filter(({ key }) => !except.includes(key));
    const rows = records === undefined ? due() : this.ours.filter(named);
    const items = rows.flatMap((row): OutboundItem[] => {
      const item = itemOf(row);
      if (item === null) row.queued = false;
      return item === null ? [] : [item];
    });
    const taken = items.slice(0, records === undefined ? limit : items.length);
    for (const row of rows)
      if (taken.some((item) => item.key === row.key && item.action === "create")) row.intentAt = this.now();
    return taken;
  }

  settle(_entity: EntityType, results: readonly OutboundResult[]): PushCounts {
    this.settled.push(...results);
    const counts = { ...NOTHING_SENT };
    for (const result of results) {
      const row = this.ours.find((one) => one.key === result.key);
      if (row?.queued && String(row.version) === result.version) this.#settleOne(row, result, counts);
      // Edited meanwhile: it stays due, and what was sent is known all the same.
      else if (row?.queued && result.outcome === "written") Object.assign(row.base, result.sent, result.relations);
    }
    return counts;
  }

  #settleOne(row: OurRecord, result: OutboundResult, counts: PushCounts): void {
    const { action, outcome, error, retry_after_ms = 1_000 } = result;
    if (outcome === "failed") {
      counts[error?.kind === "rejected" ? "failed" : "retried"] += 1;
      row.notBefore = error?.kind === "rejected" ? Number.POSITIVE_INFINITY : this.now() + retry_after_ms;
      if (error?.kind === "rejected" && action === "create") row.intentAt = null;
      row.version += 1;
      return;
    }
    row.intentAt = null;
    if (outcome === "missing") {
      row.version += 1;
      return;
    }
    row.queued = false;
    if (action === "delete" || outcome === "gone") {
      Object.assign(row, { crmId: null, deleted: true });
      counts.deleted += 1;
    } else if (outcome === "exists") {
      Object.assign(row, { crmId: result.crm_id, base: {} });
      this.markDirty(row.entity, result.crm_id ?? "");
      counts.linked += 1;
    } else {
      Object.assign(row, { crmId: result.crm_id, base: { ...row.base, ...result.sent, ...result.relations } });
      Object.assign(row.shown, result.shown);
      counts[action === "update" ? "updated" : "created"] += 1;
    }
  }

  isUnchanged(records: Page["records"]): boolean {
    return records.every(({ crm_id, deleted, values }) => {
      const row = this.ours.find((one) => one.crmId === crm_id);
      if (row === undefined || deleted) return false;
      return Object.entries(values).every(([field, theirs]) => row.base[field] === read(row, field, theirs));
    });
  }

  /** Field by field: theirs where it differs from the base. */
  merge({ records }: Pick<Page, "records">): void {
    for (const record of records) {
      const row = this.ours.find((one) => one.crmId === record.crm_id);
      if (row === undefined) continue;
      if (record.deleted) Object.assign(row, { crmId: null, deleted: true, queued: false });
      for (const [field, theirs] of Object.entries(record.values)) {
        const value = read(row, field, theirs);
        if (value !== (row.base[field] ?? null)) row.values[field] = value;
        row.base[field] = value;
      }
    }
  }
}

/** What was sent in the CRM's spelling reads as ours. */
function read({ shown }: OurRecord, field: string, theirs: Json): Json {
  return shown[field]?.crm === theirs ? shown[field].app : theirs;
}

const DUE = { queued: true, notBefore: 0, intentAt: null };

function itemOf(row: OurRecord): OutboundItem | null {
  const { key, crmId, values, base, deleted } = row;
  const differing = Object.entries(values).filter(([field, value]) => (base[field] ?? null) !== value);
  const action = deleted ? "delete" : crmId !== null ? "update" : row.intentAt !== null ? "look_up" : "create";
  if (deleted ? crmId === null : crmId !== null && differing.length === 0) return null;
  const sent = action === "delete" || action === "look_up" ? [] : differing;
  return {
    key,
    version: String(row.version),
    action,
    crm_id: crmId,
    intent_at: row.intentAt === null ? null : new Date(row.intentAt).toISOString(),
    values: Object.fromEntries(sent.filter(([field]) => !field.startsWith("$"))),
    relations: Object.fromEntries(sent.filter(([field]) => field.startsWith("$"))) as OutboundItem["relations"],
    match: { name: String(values.name ?? "") },
    verify: action === "update",
    updated_at: "2026-11-21T12:00:00.000Z",
  };
}
