/** Counts of items by their values, kept up to date item by item. */

import type { Counts, Decision, Item, State } from "./types";

export class Tally implements Counts {
  all = 0;
  duplicates = 0;
  corrected = 0;
  readonly states = new Map<State, number>();
  readonly decisions = new Map<Decision, number>();
  readonly categories = new Map<string, number>();
  readonly rationales = new Map<string, number>();
  readonly tags = new Map<string, number>();

  /** Counts an item in (by 1) or out (by -1). */
  count(item: Item, by: 1 | -1): void {
    this.all += by;
    this.duplicates += item.duplicateOf ? by : 0;
    this.corrected += item.corrected ? by : 0;
    add(this.states, item.state, by);
    add(this.decisions, item.decision, by);
    const category = categoryOf(item);
    if (category) {
      add(this.categories, category, by);
    }
    item.best?.rationales.forEach((r) => add(this.rationales, r, by));
    item.tags.forEach((t) => add(this.tags, t, by));
  }
}

function add<K>(map: Map<K, number>, key: K, by: number): void {
  const n = (map.get(key) ?? 0) + by;
  if (n === 0) {
    map.delete(key);
  } else {
    map.set(key, n);
  }
}

/** Returns the category an item goes by: the corrected one, else the best one, else "". */
export function categoryOf(item: Item): string {
  return item.corrected || (item.best?.category ?? "");
}
