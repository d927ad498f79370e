/** The bar with decisions about the chosen photos, and the panels for tags and corrections. */

import { button, make } from "../dom";
import type { Review } from "../review/review";
import type { Decision } from "../review/types";
import * as strings from "../strings";
import { icon } from "./icons";
import { Sheet } from "./sheet";
import { decisionIcons } from "./tile";

export interface DecideEvents {
  /** The photos that a decision is about. */
  targets(): readonly number[];
  /** Categories to propose for a correction. */
  categories(): readonly string[];
  /** Something was decided; goOn says whether the next photo may follow at once. */
  onDecided(what: string, ids: readonly number[], goOn: boolean): void;
  onUndone(ids: readonly number[], again: boolean): void;
  onClear(): void;
  onNothing(): void;
  /** Chosen photos are to be tried again, or to leave the review. */
  onRetry(): void;
  onRemove(): void;
}

const deciding = ["keep", "flag", "reject"] as const;
export const decisionKeys: Readonly<Record<string, Decision>> = { k: "keep", f: "flag", r: "reject", u: "none" };
const letters = { keep: "K", flag: "F", reject: "R", none: "U" } as const;

export class Decide {
  readonly element: HTMLElement;
  private readonly chosen = make("span");
  private readonly clear = button({ id: "choose-none", className: "bare", title: strings.decide.none, onclick: () => this.events.onClear() }, icon("close"));
  private readonly retry = button({ id: "retry-chosen", className: "quiet", hidden: true, onclick: () => this.events.onRetry() });
  private readonly remove = button({ id: "remove-chosen", className: "bare", hidden: true, title: strings.decide.remove, onclick: () => this.events.onRemove() }, icon("trash"));
  private readonly undoButton = button({ id: "undo", className: "quiet", title: strings.decide.withKey(strings.decide.undo, "Ctrl Z"), disabled: true, onclick: () => this.undo() }, icon("undo"));
  private readonly redoButton = button({ id: "redo", className: "quiet", title: strings.decide.withKey(strings.decide.redo, "Ctrl Shift Z"), disabled: true, onclick: () => this.redo() }, icon("redo"));
  private readonly tags = make("input", { type: "text", id: "tags", autocomplete: "off" });
  private readonly tagsHint = make("p", { className: "hint", id: "tags-hint" });
  private readonly tagsProblem = make("p", { className: "error", role: "alert" });
  private readonly tagSheet: Sheet;
  private readonly category = make("input", { type: "text", id: "correction", autocomplete: "off", "aria-describedby": "correct-hint" });
  private readonly categories = make("datalist", { id: "correction-list" });
  private readonly correctHint = make("p", { className: "hint", id: "correct-hint" });
  private readonly correctSheet: Sheet;
  private ids: readonly number[] = []; // that an open panel is about

  constructor(
    private readonly review: Review,
    private readonly events: DecideEvents,
  ) {
    const label = (text: string, key: string) => [make("span", {}, text), " ", make("kbd", { "aria-hidden": "true" }, key)];
    this.element = make(
      "div",
      { className: "decide", role: "group", "aria-label": strings.decide.label },
      make("div", { id: "chosen" }, this.chosen, this.clear, this.remove, this.retry),
      ...this.decisionButtons((d) => label(strings.decide[d], letters[d])),
      button({ id: "tag-open", onclick: () => this.openTags() }, icon("tag"), ...label(strings.decide.tag, "T")),
      button({ id: "correct-open", onclick: () => this.openCorrection() }, icon("labels"), ...label(strings.decide.correct, "C")),
      this.undoButton,
      this.redoButton,
    );
    this.tags.setAttribute("aria-describedby", "tags-hint");
    this.tagSheet = new Sheet("tag-sheet", strings.decide.tagTitle, [
      form(() => this.setTags(), this.tagsHint, make("label", {}, strings.decide.tags, " ", this.tags), this.tagsProblem, make("button", { className: "primary" }, strings.decide.setTags)),
    ]);
    this.category.setAttribute("list", "correction-list");
    this.correctSheet = new Sheet("correct-sheet", strings.decide.correctTitle, [
      form(() => this.setCorrection(), this.correctHint, make("label", {}, strings.decide.correction, " ", this.category), this.categories, make("button", { className: "primary" }, strings.decide.setCategory)),
    ]);
    review.on("history", () => this.showHistory());
  }

  /** Makes buttons for keep, flag and reject. */
  decisionButtons(content: (d: (typeof deciding)[number]) => (Node | string)[]): HTMLButtonElement[] {
    return deciding.map((d) => button({ "data-act": d, onclick: () => this.decide(d) }, icon(decisionIcons[d]), ...content(d)));
  }

  /** Says how many photos are chosen, and how many of them may be tried again. */
  showChosen(n: number, failed: number): void {
    this.chosen.textContent = strings.decide.chosen(n);
    this.clear.hidden = this.remove.hidden = n === 0;
    this.retry.hidden = failed === 0;
    this.retry.textContent = strings.decide.retry(failed);
  }

  decide(decision: Decision): void {
    const ids = this.targets();
    if (ids.length > 0) {
      this.review.decide(ids, decision);
      this.events.onDecided(strings.decisionNames[decision], ids, decision !== "none");
    }
  }

  undo(): void {
    const undone = this.review.undo();
    if (undone) {
      this.events.onUndone(undone.ids, false);
    }
  }

  redo(): void {
    const redone = this.review.redo();
    if (redone) {
      this.events.onUndone(redone.ids, true);
    }
  }

  openTags(): void {
    this.ids = this.targets();
    if (this.ids.length > 0) {
      this.tags.value = this.commonTags().join(", ");
      this.tagsHint.textContent = strings.decide.tagHint(this.ids.length);
      this.tagsProblem.textContent = "";
      this.tagSheet.open();
      this.tags.focus();
    }
  }

  openCorrection(): void {
    this.ids = this.targets();
    if (this.ids.length > 0) {
      this.category.value = this.review.get(this.ids[0]!)?.corrected ?? "";
      this.correctHint.textContent = strings.decide.correctHint(this.ids.length);
      this.categories.replaceChildren(...this.events.categories().map((value) => make("option", { value })));
      this.correctSheet.open();
      this.category.focus();
    }
  }

  private targets(): readonly number[] {
    const ids = this.events.targets();
    if (ids.length === 0) {
      this.events.onNothing();
    }
    return ids;
  }

  /** Adds the tags of the field and takes away those that all photos had and that are not there any more. */
  private setTags(): void {
    const wanted = this.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
    const problem = this.review.tag(this.ids, wanted, this.commonTags());
    this.tagsProblem.textContent = problem;
    if (problem) {
      return;
    }
    this.tagSheet.close();
    this.events.onDecided(strings.decide.tagged(wanted), this.ids, false);
  }

  /** Tags that all photos of the open panel have. */
  private commonTags(): string[] {
    const lists = this.ids.map((id) => this.review.get(id)?.tags ?? []);
    return (lists[0] ?? []).filter((t) => lists.every((list) => list.includes(t)));
  }

  private setCorrection(): void {
    const category = this.category.value.trim();
    this.review.correct(this.ids, category);
    this.correctSheet.close();
    this.events.onDecided(strings.decide.corrected(category), this.ids, false);
  }

  private showHistory(): void {
    this.undoButton.disabled = !this.review.canUndo;
    this.redoButton.disabled = !this.review.canRedo;
  }
}

function form(onSubmit: () => void, ...children: Node[]): HTMLFormElement {
  return make("form", {
    className: "choices",
    onsubmit: (event) => {
      event.preventDefault();
      onSubmit();
    },
  }, ...children);
}
