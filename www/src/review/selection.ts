/** Which items are selected, as lists in file managers do it. */

import { Events } from "./events";
import type { View } from "./view";

export class Selection {
  private chosen = new Set<number>();
  private anchor = 0; // where a range begins; 0 is nowhere
  private readonly events = new Events<{ change: void }>();

  get ids(): ReadonlySet<number> {
    return this.chosen;
  }

  has(id: number): boolean {
    return this.chosen.has(id);
  }

  /** Selects one item alone. */
  only(id: number): void {
    this.anchor = id;
    this.replace([id]);
  }

  /** Selects an item beside the others, or no longer. */
  toggle(id: number): void {
    this.anchor = id;
    if (!this.chosen.delete(id)) {
      this.chosen.add(id);
    }
    this.events.emit("change", undefined);
  }

  /** Selects from the item that was selected or toggled last to this one, in the order of a view. */
  range(view: View, id: number, add = false): void {
    const to = view.indexOf(id);
    const from = this.anchor ? view.indexOf(this.anchor) : -1;
    if (from < 0 || to < 0) {
      return add ? this.toggle(id) : this.only(id);
    }
    const ids = view.slice(Math.min(from, to), Math.max(from, to) + 1).map((item) => item.id);
    this.replace(add ? [...this.chosen, ...ids] : ids);
  }

  all(view: View): void {
    this.replace(view.ids());
  }

  clear(): void {
    this.anchor = 0;
    this.replace([]);
  }

  /** Keeps only what is in a view, after its filter has changed or items were removed. */
  keep(view: View): void {
    const kept = [...this.chosen].filter((id) => view.indexOf(id) >= 0);
    if (kept.length < this.chosen.size) {
      this.replace(kept);
    }
  }

  on(listener: () => void): () => void {
    return this.events.on("change", listener);
  }

  private replace(ids: readonly number[]): void {
    this.chosen = new Set(ids);
    this.events.emit("change", undefined);
  }
}
