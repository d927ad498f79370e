/** One photo of the grid. */

import { make } from "../dom";
import type { Review } from "../review/review";
import type { Item } from "../review/types";
import * as strings from "../strings";
import type { Tile } from "./grid";
import { icon, type IconName } from "./icons";
import type { Thumbnails } from "./thumbnails";

/** Share from which the answer is given without "perhaps". */
export const sure = 0.5;

export const decisionIcons = { keep: "check", flag: "flag", reject: "cross" } as const satisfies Record<string, IconName>;

/** What a tile reads. */
export interface TileSource {
  readonly review: Review;
  readonly thumbnails: Thumbnails;
  itemAt(index: number): Item | undefined;
  isSelected(id: number): boolean;
  /** The category of an item in work, as far as it is known. */
  firstSight(id: number): string | undefined;
  count(): number;
}

let made = 0;

/** Sets an attribute that is not so yet: browsers look for styles again after every one. */
function change(element: HTMLElement, name: string, value: string): void {
  if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

function unseen(): HTMLElement {
  return make("span", { className: "unseen" });
}

export class PhotoTile implements Tile {
  readonly element: HTMLElement;
  private readonly picture = make("div", { className: "picture" });
  private readonly image = make("img", { alt: "", decoding: "async", draggable: false });
  private readonly glyph = make("span", { className: "glyph" });
  // What a screen reader says is the text of the tile; parts of it are not seen.
  private readonly file = unseen();
  private readonly category = make("span");
  private readonly doubt = make("span", { "aria-hidden": "true" });
  private readonly beforeShare = unseen();
  private readonly share = make("span");
  private readonly beforeWhy = unseen();
  private readonly why = make("span");
  private readonly marks = unseen();
  private readonly badge = make("span", { className: "badge" });
  private readonly tags = make("span", { className: "tags" });
  private id = 0;
  // What is shown; items never change, so the same object needs no work.
  private item: Item | undefined;
  private first = "";
  private original = "";
  private pictured = false;
  private pending = false;

  constructor(private readonly source: TileSource) {
    this.picture.append(this.glyph, make("span", { className: "mark", title: strings.tile.select, ariaHidden: "true" }), this.badge, this.tags);
    this.picture.setAttribute("aria-hidden", "true");
    const name = make("span", { className: "name" }, make("span", {}, this.file, this.category, this.doubt), make("span", { className: "share" }, this.beforeShare, this.share));
    const why = make("span", { className: "why" }, this.beforeWhy, this.why, this.marks);
    this.element = make("div", { role: "option", id: `tile-${++made}`, className: "tile" }, this.picture, make("div", { className: "text" }, name, why));
  }

  show(index: number, active: boolean): void {
    const item = this.source.itemAt(index);
    if (!item) {
      return;
    }
    if (item.id !== this.id) {
      this.clear();
      this.id = item.id;
    }
    const { element, source } = this;
    const first = source.firstSight(item.id) ?? "";
    const original = item.duplicateOf ? (source.review.get(item.duplicateOf)?.name ?? "") : "";
    if (item !== this.item || first !== this.first || original !== this.original) {
      this.item = item;
      this.first = first;
      this.original = original;
      element.dataset["id"] = String(item.id);
      element.dataset["state"] = item.state;
      element.dataset["decision"] = item.decision;
      element.title = item.path;
      this.showTexts(item);
      this.showMarks(item);
    }
    this.showPicture(item);
    element.classList.toggle("active", active);
    change(element, "aria-selected", String(source.isSelected(item.id)));
    change(element, "aria-setsize", String(source.count()));
    change(element, "aria-posinset", String(index + 1));
  }

  clear(): void {
    if (this.pending) {
      this.source.thumbnails.forget(this.id);
    }
    this.pending = false;
    this.id = 0;
    if (this.pictured) {
      this.pictured = false;
      this.image.remove();
      this.image.removeAttribute("src"); // or the next photo shows this one until it is decoded
    }
  }

  private showTexts(item: Item): void {
    const { best, corrected, name, decision, tags } = item;
    const say = (texts: Partial<Record<"file" | "category" | "doubt" | "beforeShare" | "share" | "beforeWhy" | "why", string>>) => {
      for (const part of ["file", "category", "doubt", "beforeShare", "share", "beforeWhy", "why"] as const) {
        this[part].textContent = texts[part] ?? "";
      }
    };
    const file = strings.tile.file(name);
    const marks = [...(decision === "none" ? [] : [strings.decisionNames[decision]]), ...tags];
    this.marks.textContent = marks.length > 0 ? strings.tile.marks(marks) : "";
    if (!best) {
      const first = corrected || this.first;
      const why = item.reason?.message ?? (first ? strings.photo.atFirstSight : item.attached ? strings.stateNames[item.state] : strings.tile.away);
      say(first ? { file, category: first, beforeWhy: ", ", why } : { category: name, beforeWhy: ": ", why });
    } else if (corrected) {
      say({ file, category: corrected, beforeShare: ", ", share: strings.tile.byYou, beforeWhy: ", ", why: strings.tile.model(best.category, best.share) });
    } else {
      const unsure = best.share < sure;
      const reasons = best.method === "clip" ? "" : best.rationales.slice(0, 2).join(", ");
      say({
        file: file + (unsure ? strings.photo.unsure : ""),
        category: best.category,
        doubt: unsure ? strings.tile.unsure : "",
        beforeShare: ", ",
        share: strings.percent(best.share),
        beforeWhy: this.original ? ", " : reasons && strings.tile.because,
        why: this.original ? strings.tile.copy(this.original) : reasons,
      });
    }
  }

  private showMarks(item: Item): void {
    const { decision } = item;
    if (this.badge.dataset["decision"] !== decision) {
      this.badge.dataset["decision"] = decision;
      this.badge.replaceChildren(...(decision === "none" ? [] : [icon(decisionIcons[decision])]));
      this.badge.hidden = decision === "none";
    }
    if (this.tags.textContent !== item.tags.join("")) {
      this.tags.replaceChildren(...item.tags.map((t) => make("span", {}, t)));
    }
  }

  private showPicture(item: Item): void {
    const { thumbnails } = this.source;
    if (!this.pictured && !this.pending) {
      const kept = thumbnails.peek(item.id);
      if (kept) {
        this.setPicture(kept);
      } else if (item.attached && item.embedding) {
        this.pending = true;
        const { id } = item;
        thumbnails.want(id, (url) => {
          if (this.id === id) {
            this.pending = false;
            if (url) {
              this.setPicture(url);
            }
          }
        });
      }
    }
    if (!this.pictured) {
      const name: IconName = item.state === "failed" || item.state === "skipped" ? "cross" : item.attached ? "open" : "folder";
      if (this.glyph.dataset["icon"] !== name) {
        this.glyph.dataset["icon"] = name;
        this.glyph.replaceChildren(icon(name));
      }
    }
  }

  private setPicture(url: string): void {
    this.pictured = true;
    this.image.src = url;
    this.picture.prepend(this.image);
  }
}

