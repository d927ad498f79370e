/** The items that a filter lets through, in order, kept up to date change by change. */

import { Events } from "./events";
import { comparer, matcher } from "./filter";
import type { Review } from "./review";
import type { Filter, Item, Sort } from "./types";

export class View {
  private items: Item[] = [];
  private readonly placed = new Map<number, Item>(); // by id, as they are in items
  private matches: (item: Item) => boolean = () => true;
  private compare: (a: Item, b: Item) => number = (a, b) => a.id - b.id;
  private readonly events = new Events<{ change: void }>();
  private readonly leave: () => void;

  constructor(
    private readonly review: Review,
    private current: { filter: Filter; sort: Sort } = { filter: {}, sort: { by: "added", descending: false } },
  ) {
    this.leave = review.follow((changed) => this.follow(changed));
    this.set(current.filter, current.sort);
  }

  get filter(): Filter {
    return this.current.filter;
  }

  get sort(): Sort {
    return this.current.sort;
  }

  get length(): number {
    return this.items.length;
  }

  at(index: number): Item | undefined {
    return this.items[index];
  }

  slice(from: number, to: number): Item[] {
    return this.items.slice(from, to);
  }

  ids(): number[] {
    return this.items.map((item) => item.id);
  }

  /** Returns where an item stands, or -1. */
  indexOf(id: number): number {
    const item = this.placed.get(id);
    return item ? this.find(item) : -1;
  }

  /** Filters and sorts anew. */
  set(filter: Filter, sort: Sort = this.current.sort): void {
    this.current = { filter, sort };
    this.matches = matcher(filter);
    this.compare = comparer(sort);
    this.rebuild();
    this.events.emit("change", undefined);
  }

  /** Calls listener after the view's items have changed. */
  on(listener: () => void): () => void {
    return this.events.on("change", listener);
  }

  /** Ends following the review. */
  close(): void {
    this.leave();
  }

  private rebuild(): void {
    this.items = [...this.review.items()].filter(this.matches).sort(this.compare);
    this.placed.clear();
    this.items.forEach((item) => this.placed.set(item.id, item));
  }

  private follow(changed: ReadonlySet<number>): void {
    let any = false;
    if (changed.size > 64 && changed.size > this.items.length / 8) {
      this.rebuild();
      any = true;
    } else {
      for (const id of changed) {
        any = this.place(id) || any;
      }
    }
    if (any) {
      this.events.emit("change", undefined);
    }
  }

  /** Puts an item where it belongs now; says whether the view has changed. */
  private place(id: number): boolean {
    const before = this.placed.get(id);
    const now = this.review.get(id);
    const after = now && this.matches(now) ? now : undefined;
    if (before === after) {
      return false;
    }
    const at = before ? this.find(before) : -1;
    if (after) {
      this.placed.set(id, after);
    } else {
      this.placed.delete(id);
    }
    if (before && after && this.fits(after, at)) {
      this.items[at] = after;
      return true;
    }
    if (before) {
      this.items.splice(at, 1);
    }
    if (after) {
      this.items.splice(this.find(after), 0, after);
    }
    return true;
  }

  /** Whether an item may stand where another one stands now. */
  private fits(item: Item, at: number): boolean {
    const left = this.items[at - 1];
    const right = this.items[at + 1];
    return (!left || this.compare(left, item) < 0) && (!right || this.compare(item, right) < 0);
  }

  /** Returns the first place whose item does not come before the given one. */
  private find(item: Item): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(this.items[middle]!, item) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
