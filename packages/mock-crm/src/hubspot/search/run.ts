import type { Collection } from "../collection.ts";
import { invalid } from "../errors.ts";
import { type HubRecord, namesToShow, propertyValue, show } from "../record.ts";
import { instantOf } from "../validate.ts";
import { comparable, compileFilters } from "./filter.ts";
import type { Filter, SearchRequest } from "./request.ts";

/** A search shows no more than this, however many records match. */
const CAP = 10_000;

interface Kept {
  key: string;
  version: number;
  records: readonly HubRecord[];
}

interface Matches {
  records: readonly HubRecord[];
  /** Where in the list the matches begin; they go on to its end. */
  from: number;
}

/** Runs searches on one collection; the last result is kept, because its next pages are asked for one by one. */
export class Searcher {
  private kept: Kept | null = null;
  private readonly collection: Collection;
  private readonly now: () => number;

  constructor(collection: Collection, now: () => number) {
    this.collection = collection;
    this.now = now;
  }

  page(request: SearchRequest) {
    const { after, limit } = request;
    if (after + limit > CAP) {
      throw invalid(
        `Paging through more than ${CAP} results of one search is not supported; narrow the filters instead.`,
      );
    }
    const { records, from } = this.matches(request);
    const total = records.length - from;
    const { type } = this.collection;
    const names = namesToShow(type, request.properties);
    const results = records.slice(from + after, from + after + limit).map((record) => show(type, record, names));
    const end = after + results.length;
    return end < total ? { total, results, paging: { next: { after: String(end) } } } : { total, results };
  }

  private matches(request: SearchRequest): Matches {
    const { collection } = this;
    this.indexWrites();
    if (collection.unindexed.size > 0) return { records: this.evaluate(request, this.asIndexed()), from: 0 };
    const since = onlySince(collection, request);
    if (since !== null) {
      return {
        records: collection.byModified.all,
        from: collection.byModified.lowerBound((record) => record.updatedAt >= since),
      };
    }
    const { filterGroups, sorts, query } = request;
    const key = JSON.stringify([filterGroups, sorts, query]);
    if (this.kept?.key !== key || this.kept.version !== collection.version) {
      this.kept = { key, version: collection.version, records: this.evaluate(request, collection.live.all) };
    }
    return { records: this.kept.records, from: 0 };
  }

  private evaluate(request: SearchRequest, candidates: readonly HubRecord[]): HubRecord[] {
    const { type } = this.collection;
    const found = candidates.filter(compileFilters(type, request));
    const [sort] = request.sorts;
    if (sort === undefined) return found;
    const definition = type.properties.get(sort.propertyName);
    if (definition === undefined) throw invalid(`Property ${sort.propertyName} cannot be sorted by: it does not exist`);
    const sign = sort.direction === "DESCENDING" ? -1 : 1;
    const keyed = found.map((record) => {
      const value = propertyValue(type, record, sort.propertyName);
      return { record, key: value === null ? null : comparable(definition, value) };
    });
    keyed.sort((left, right) => sign * compareKeys(left.key, right.key) || left.record.number - right.record.number);
    return keyed.map(({ record }) => record);
  }

  private indexWrites(): void {
    const now = this.now();
    const { unindexed } = this.collection;
    for (const [id, { visibleAt }] of unindexed) if (visibleAt <= now) unindexed.delete(id);
  }

  /** The records as the lagging index still knows them. */
  private asIndexed(): HubRecord[] {
    const { unindexed, live } = this.collection;
    const current = live.all.filter((record) => !unindexed.has(record.id));
    const before = [...unindexed.values()].map((entry) => entry.before).filter((record) => record !== null);
    return [...current, ...before.filter((record) => record.archivedAt === null)].sort((a, b) => a.number - b.number);
  }
}

/** The bound of "modified since, oldest first" and nothing else, which the index answers by itself. */
function onlySince(collection: Collection, request: SearchRequest): number | null {
  const { modifiedProperty } = collection.type;
  const [group, ...otherGroups] = request.filterGroups;
  const [filter, ...otherFilters] = group?.filters ?? [];
  const [sort] = request.sorts;
  const alone = otherGroups.length === 0 && otherFilters.length === 0 && (request.query ?? "") === "";
  if (filter === undefined || !alone || !isSince(filter, modifiedProperty)) return null;
  if (sort?.propertyName !== modifiedProperty || sort.direction !== "ASCENDING") return null;
  return instantOf(filter.value ?? "");
}

function isSince(filter: Filter, modifiedProperty: string): boolean {
  return filter.propertyName === modifiedProperty && filter.operator === "GTE";
}

/** Records without a value come last in either direction. */
function compareKeys(left: string | number | null, right: string | number | null): number {
  if (left === right) return 0;
  if (left === null) return 1;
  if (right === null) return -1;
  return left < right ? -1 : 1;
}
