export type Compare<T> = (left: T, right: T) => number;

/** An array kept in order, for "from here on, in this order" reads without a sort per request. */
export class SortedIndex<T> {
  private items: T[] = [];
  private readonly compare: Compare<T>;

  constructor(compare: Compare<T>) {
    this.compare = compare;
  }

  get all(): readonly T[] {
    return this.items;
  }

  load(items: readonly T[]): void {
    this.items = [...items].sort(this.compare);
  }

  add(item: T): void {
    const last = this.items.at(-1);
    if (last === undefined || this.compare(last, item) <= 0) this.items.push(item);
    else this.items.splice(this.firstNotBefore(item), 0, item);
  }

  remove(item: T): void {
    for (let at = this.firstNotBefore(item); at < this.items.length; at += 1) {
      if (this.items[at] === item) {
        this.items.splice(at, 1);
        return;
      }
    }
    throw new Error("The item is not in the index.");
  }

  /** Takes the item out, changes its keys and puts it back in its new place. */
  move(item: T, change: () => void): void {
    this.remove(item);
    change();
    this.add(item);
  }

  /** One sort instead of one splice per item: for changes of thousands of items. */
  moveMany(change: () => void): void {
    change();
    this.items.sort(this.compare);
  }

  /** The first position whose item satisfies the test; the test must be false up to a point and true from there. */
  lowerBound(reached: (item: T) => boolean): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (reached(this.items[middle] as T)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private firstNotBefore(item: T): number {
    return this.lowerBound((other) => this.compare(other, item) >= 0);
  }
}
