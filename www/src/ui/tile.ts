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

export class PhotoTile implements Tile {
  readonly element: HTMLElement;
  private readonly picture = make("div", { className: "picture" });
  private readonly image = make("img", { alt: "", decoding: "async", draggable: false });
  private readonly glyph = make("span", { className: "glyph" });
  private readonly category = make("span");
  private readonly share = make("span", { className: "share" });
  private readonly why = make("span", { className: "why" });
  private readonly badge = make("span", { className: "badge" });
  private readonly tags = make("span", { className: "tags" });
  private id = 0;
  private url = "";
  private pending = false;

  constructor(private readonly source: TileSource) {
    this.picture.append(this.glyph, make("span", { className: "mark", title: strings.tile.select }), this.badge, this.tags);
    this.element = make(
      "div",
      { role: "option", id: `tile-${++made}`, className: "tile" },
      this.picture,
      make("div", { className: "text", "aria-hidden": "true" }, make("span", { className: "name" }, this.category, this.share), this.why),
    );
    this.picture.setAttribute("aria-hidden", "true");
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
    const { element } = this;
    const what = this.texts(item);
    element.classList.toggle("active", active);
    element.dataset["id"] = String(item.id);
    element.dataset["state"] = item.state;
    element.dataset["decision"] = item.decision;
    element.title = item.path;
    element.setAttribute("aria-selected", String(this.source.isSelected(item.id)));
    element.setAttribute("aria-setsize", String(this.source.count()));
    element.setAttribute("aria-posinset", String(index + 1));
    const marks = [item.decision === "none" ? "" : strings.decisionNames[item.decision], ...item.tags].filter(Boolean).join(", ");
    element.setAttribute("aria-label", strings.tile.label(item.name, what, marks));
    this.showMarks(item);
    this.showPicture(item);
  }

  clear(): void {
    if (this.pending) {
      this.source.thumbnails.forget(this.id);
    }
    this.pending = false;
    this.id = 0;
    this.image.remove();
    this.image.removeAttribute("src");
    if (this.url) {
      URL.revokeObjectURL(this.url);
      this.url = "";
    }
  }

  /** Fills the text lines; returns them as one for screen readers. */
  private texts(item: Item): string {
    const { best, state, corrected } = item;
    if (best) {
      const reasons = best.method === "clip" ? [] : best.rationales.slice(0, 2);
      this.category.textContent = corrected || best.category + (best.share < sure ? strings.tile.unsure : "");
      this.share.textContent = corrected ? strings.tile.byYou : strings.percent(best.share);
      this.why.textContent = item.duplicateOf ? strings.tile.copy(this.source.review.get(item.duplicateOf)?.name ?? "") : reasons.join(", ");
      return corrected ? `${corrected}, ${strings.tile.byYou}` : strings.tile.answer((best.share < sure ? strings.photo.unsure : "") + best.category, best.share, reasons);
    }
    const first = this.source.firstSight(item.id);
    const status = item.reason?.message ?? (first ? strings.photo.atFirstSight : item.attached ? strings.stateNames[state] : strings.tile.away);
    this.category.textContent = corrected || first || item.name;
    this.share.textContent = "";
    this.why.textContent = status;
    return first ? `${first}, ${status}` : status;
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
    if (!this.url && !this.pending) {
      const kept = thumbnails.peek(item.id);
      if (kept) {
        this.setPicture(kept);
      } else if (item.attached && item.embedding) {
        this.pending = true;
        const { id } = item;
        thumbnails.want(id, (thumbnail) => {
          if (this.id === id) {
            this.pending = false;
            if (thumbnail) {
              this.setPicture(thumbnail);
            }
          }
        });
      }
    }
    if (!this.url) {
      const name: IconName = item.state === "failed" || item.state === "skipped" ? "cross" : item.attached ? "open" : "folder";
      if (this.glyph.dataset["icon"] !== name) {
        this.glyph.dataset["icon"] = name;
        this.glyph.replaceChildren(icon(name));
      }
    }
  }

  private setPicture(thumbnail: Blob): void {
    this.url = URL.createObjectURL(thumbnail);
    this.image.src = this.url;
    this.picture.prepend(this.image);
  }
}

