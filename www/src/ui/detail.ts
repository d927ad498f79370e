/** The photo in hand: its answer, the reasons for it, and what other ways of scoring say. */

import { jointTable } from "../ecor";
import { button, make, type Child } from "../dom";
import { weighed } from "../review/answers";
import type { Review } from "../review/review";
import type { Item, Method } from "../review/types";
import * as strings from "../strings";
import { methods, type Answer } from "../wire";
import { bars } from "./bars";
import { heatMap } from "./heatmap";
import { icon } from "./icons";
import { mayBeTriedAgain, type Runner } from "./runner";
import { decisionIcons, sure } from "./tile";
import type { Thumbnails } from "./thumbnails";

const shownCategories = 5;
const shownRationales = 5;
const imageDelay = 120; // milliseconds that a photo is in hand before its whole image is read

export interface DetailEvents {
  /** What scores photos, once it may. */
  runner(): Runner | undefined;
  onStep(step: 1 | -1): void;
  onBig(): void;
  onMethod(method: Method): void;
  onRetry(id: number): void;
  onRemove(id: number): void;
  /** Buttons that decide about the photo in hand. */
  buttons(): HTMLElement[];
}

export class Detail {
  readonly element = make("div", { className: "detail", tabIndex: -1, role: "region", "aria-label": strings.detail.label });
  private readonly image = make("img", { decoding: "async" });
  private readonly figure = make("figure", {}, this.image);
  private readonly bigButton = button({ className: "bare in-side", title: strings.detail.big, onclick: () => this.events.onBig() }, icon("open"));
  private readonly head: HTMLElement;
  private readonly body = make("div", { className: "answer-body" });
  private item: Item | undefined;
  private chosen = ""; // category whose reasons are shown; "" is the best one
  private method: Method | undefined; // another way of scoring than that of the review
  private other: Answer | undefined; // answer by it
  private failure = ""; // why there is none
  private comparison: object | undefined; // the last one that was begun
  private tableOpen = false;
  private url = "";
  private timer = 0;

  constructor(
    private readonly review: Review,
    private readonly thumbnails: Thumbnails,
    private readonly events: DetailEvents,
  ) {
    this.head = make(
      "div",
      { className: "rows" },
      make("p", { className: "file" }),
      button({ className: "bare", title: strings.detail.previous, onclick: () => events.onStep(-1) }, icon("left")),
      button({ className: "bare", title: strings.detail.next, onclick: () => events.onStep(1) }, icon("right")),
      this.bigButton,
    );
    this.image.onerror = () => this.dropImage();
    this.show(undefined);
  }

  /** Shows an item; the same one again after it has changed. */
  show(item: Item | undefined): void {
    const same = item?.id === this.item?.id;
    if (same && item === this.item && this.element.childElementCount > 0) {
      return;
    }
    const before = this.item;
    this.item = item;
    if (!item) {
      this.dropImage();
      this.element.replaceChildren(make("p", { className: "hint" }, strings.detail.nothing));
      return;
    }
    if (!same) {
      this.chosen = "";
      this.forgetComparison();
      this.showImage(item);
      this.head.firstElementChild!.textContent = item.path;
      if (this.body.parentElement !== this.element) {
        this.element.replaceChildren(this.figure, this.head, this.body); // only then: what is put in anew loses the focus
      }
    } else if (!this.image.src) {
      this.showImage(item);
    }
    if (!item.embedding || item.best?.method === this.method) {
      this.forgetComparison();
    } else if (this.method && item.best?.labels !== before?.best?.labels) {
      void this.compare(this.method);
    }
    this.render(item);
  }

  private forgetComparison(): void {
    this.method = this.other = undefined;
    this.failure = "";
  }

  /** Draws the answer again, such as after a first sight. */
  refresh(): void {
    if (this.item) {
      this.render(this.item);
    }
  }

  private dropImage(): void {
    clearTimeout(this.timer);
    this.revoke();
    this.image.removeAttribute("src");
    this.image.hidden = true;
  }

  /** Gives back the whole image; thumbnails are not this view's. */
  private revoke(): void {
    if (this.url) {
      URL.revokeObjectURL(this.url);
      this.url = "";
    }
  }

  /** Shows the thumbnail at once and the whole image where the person stays. */
  private showImage(item: Item): void {
    this.dropImage();
    this.image.alt = strings.photo.alt(item.name);
    const thumbnail = this.thumbnails.peek(item.id);
    if (thumbnail) {
      this.setImage(thumbnail);
    }
    if (!item.attached || item.state === "skipped" || item.state === "waiting") {
      return;
    }
    this.timer = window.setTimeout(() => void this.readImage(item), imageDelay);
  }

  private async readImage(item: Item): Promise<void> {
    try {
      const file = await this.review.source(item.id)?.file();
      if (file && this.item?.id === item.id) {
        this.revoke(); // two readings of one photo may end here
        this.url = URL.createObjectURL(file);
        this.setImage(this.url);
      }
    } catch {
      // The thumbnail stays; the tile says what is wrong with the file.
    }
  }

  private setImage(url: string): void {
    this.image.src = url;
    this.image.hidden = false;
  }

  private render(item: Item): void {
    const focused = document.activeElement;
    const at = controls(this.body).indexOf(focused as HTMLElement);
    this.body.replaceChildren(...this.parts(item));
    if (focused && at >= 0) {
      const now = controls(this.body);
      const same = now.find((e) => nameOf(e) === nameOf(focused)) ?? now[at];
      (same?.tagName === focused.tagName ? same : this.element).focus();
    }
  }

  private parts(item: Item): Child[] {
    const facts = make(
      "div",
      { className: "file" },
      make("p", {}, strings.detail.size(item.width, item.height, item.size)),
      ...(item.attached ? [] : [make("p", {}, strings.detail.notAttached)]),
    );
    const answer = this.review.answer(item.id);
    const verdict = this.verdict(item);
    if (!answer || !item.best) {
      return [...this.status(item), verdict, this.buttons(), facts];
    }
    const scored = this.other ?? answer;
    const whole = weighed(scored);
    const best = scored.categories.find((c) => c.category === this.chosen) ?? scored.categories[0];
    if (!best) {
      return [facts];
    }
    const first = scored.categories[0]!;
    const share = first.probability / whole;
    return [
      make("p", { className: "answer" }, make("span", { className: "category" }, (share < sure ? strings.photo.unsure : "") + first.category), make("span", { className: "probability" }, strings.percent(share))),
      make("p", { className: "because" }, scored.method === "clip" ? strings.photo.noReasons : strings.because(first.rationales.slice(0, 2).map((r) => r.rationale))),
      verdict,
      this.buttons(),
      facts,
      this.categories(scored, whole, best.category),
      ...this.rationales(scored, whole, best),
      this.methods(answer),
      this.table(scored, whole),
      ...this.timings(item),
    ];
  }

  /** Decisions, where the bar with them is covered. */
  private buttons(): HTMLElement {
    return make("div", { className: "in-big row" }, ...this.events.buttons());
  }

  /** What is said where there is no answer. */
  private status(item: Item): Child[] {
    const first = this.events.runner()?.firstSight(item.id);
    const parts: Child[] = [];
    if (first) {
      parts.push(make("p", { className: "answer" }, make("span", { className: "category" }, first)));
    }
    if (item.reason) {
      parts.push(make("p", { className: "error" }, item.reason.message));
    } else {
      parts.push(make("p", { className: "hint" }, first ? strings.photo.atFirstSight : strings.stateNames[item.state]));
    }
    const actions = [button({ className: "quiet", onclick: () => this.events.onRemove(item.id) }, icon("trash"), strings.detail.remove)];
    if (mayBeTriedAgain(item)) {
      actions.unshift(button({ onclick: () => this.events.onRetry(item.id) }, strings.common.retry));
    }
    parts.push(make("div", { className: "row" }, ...actions));
    return parts;
  }

  private verdict({ decision, tags, corrected, best }: Item): HTMLElement {
    const chips: Child[] = [];
    if (decision !== "none") {
      chips.push(make("span", { className: "chip", "data-act": decision }, icon(decisionIcons[decision]), strings.decisionNames[decision]));
    }
    if (corrected) {
      chips.push(make("span", { className: "chip" }, best ? strings.detail.correctedTo(corrected, best.category) : corrected));
    }
    chips.push(...tags.map((t) => make("span", { className: "chip" }, icon("tag"), t)));
    return make("p", { className: "verdict" }, ...chips);
  }

  private categories(scored: Answer, whole: number, chosen: string): HTMLElement {
    const rows = scored.categories.slice(0, shownCategories).map((c) => ({ label: c.category, p: c.probability / whole }));
    const choose = (label: string) => {
      this.chosen = label;
      this.refresh();
    };
    return make("section", {}, make("h2", {}, strings.photo.categories), bars(rows, chosen, scored.method === "clip" ? undefined : choose));
  }

  private rationales(scored: Answer, whole: number, { category, rationales }: Answer["categories"][number]): Child[] {
    if (scored.method === "clip") {
      return [];
    }
    const rows = rationales.slice(0, shownRationales).map((r) => ({ label: r.rationale, p: r.joint / whole }));
    return [
      make(
        "section",
        {},
        make("h2", {}, strings.photo.reasons(category)),
        bars(rows),
        make("p", { className: "hint" }, strings.photo.reasonsHint),
        make("p", { className: "hint" }, scored.kept > 0 ? strings.photo.covered(scored.kept, scored.uncovered) : strings.photo.coveredAll),
      ),
    ];
  }

  private methods(answer: Answer): HTMLElement {
    const now = this.method ?? answer.method;
    const choices = methods.map((m) =>
      make(
        "label",
        { title: strings.methodHints[m] },
        make("input", { type: "radio", name: "detail-method", value: m, checked: m === now, disabled: !this.events.runner(), onchange: () => void this.compare(m) }),
        make("span", {}, strings.methodNames[m]),
      ),
    );
    return make(
      "section",
      {},
      make("h2", { id: "detail-method" }, strings.detail.method),
      make("div", { className: "segments", role: "radiogroup", "aria-labelledby": "detail-method" }, ...choices),
      make("p", { className: "hint" }, strings.methodHints[now]),
      ...this.changes(answer, now),
    );
  }

  /** A table of the categories that lead by either way of scoring. */
  private changes(session: Answer, now: Method): Child[] {
    if (now === session.method) {
      return [make("p", { className: "hint" }, strings.detail.same(strings.methodNames[now]))];
    }
    if (this.failure) {
      return [make("p", { className: "error", role: "alert" }, this.failure), button({ className: "quiet", onclick: () => void this.compare(now) }, strings.common.retry)];
    }
    if (!this.other) {
      return [make("p", { className: "hint", role: "status" }, strings.detail.working)];
    }
    const names = [now, session.method].map((m) => strings.methodNames[m]) as [string, string];
    const share = (a: Answer, category: string) => {
      const found = a.categories.find((c) => c.category === category);
      return found ? found.probability / weighed(a) : undefined;
    };
    const leading = (a: Answer) => a.categories.slice(0, shownCategories).map((c) => c.category);
    const cell = (p: number | undefined) => make("td", {}, p === undefined ? strings.detail.notAmong : strings.percent(p));
    const rows = [...new Set([...leading(this.other), ...leading(session)])].map((category) =>
      make("tr", {}, make("td", {}, category), cell(share(this.other!, category)), cell(share(session, category))),
    );
    const head = [strings.filters.category, ...names].map((name) => make("th", { scope: "col" }, name));
    return [
      make("h2", {}, strings.detail.changes),
      make("table", { className: "changes", "aria-label": strings.detail.changesHint(...names) }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
      button({ className: "quiet", onclick: () => this.events.onMethod(now) }, strings.detail.useForAll(names[0])),
    ];
  }

  /** Scores the photo by another method than the review's, or shows the review's again. */
  private async compare(method: Method): Promise<void> {
    const item = this.item;
    const runner = this.events.runner();
    if (!item?.embedding || !runner) {
      return;
    }
    this.forgetComparison();
    this.chosen = "";
    const comparison = {};
    this.comparison = comparison;
    if (method === item.best?.method) {
      return this.refresh();
    }
    this.method = method;
    this.refresh();
    let other: Answer | undefined;
    let failure = "";
    try {
      other = await runner.compare(item, method);
    } catch (e) {
      failure = (e as Error).message;
    }
    // Of several only the last one counts, for the photo that is in hand now.
    if (this.comparison === comparison && this.item?.id === item.id && this.method === method) {
      this.other = other;
      this.failure = failure;
      this.refresh();
    }
  }

  private table(scored: Answer, whole: number): HTMLElement {
    const holder = make("div");
    const fill = () => holder.replaceChildren(...tableOf(scored, whole));
    if (this.tableOpen) {
      fill();
    }
    const details = make("details", { open: this.tableOpen }, make("summary", {}, strings.detail.table), holder);
    details.ontoggle = () => {
      if (details.open !== this.tableOpen) {
        this.tableOpen = details.open;
        if (details.open) {
          fill();
        }
      }
    };
    return details;
  }

  private timings({ id }: Item): Child[] {
    const timings = this.events.runner()?.timingsOf(id);
    if (!timings) {
      return [];
    }
    const steps = Object.entries(strings.photo.timings)
      .map(([key, name]) => ({ name, ms: timings[key as keyof typeof timings] }))
      .filter(({ ms }) => ms > 0)
      .map(({ name, ms }) => `${name} ${strings.milliseconds(ms)}`);
    return [make("p", { className: "timings" }, steps.join(" · "))];
  }
}

/** The heat map of an answer's categories and rationales, as shares. */
function tableOf(scored: Answer, whole: number): Child[] {
  if (scored.method === "clip") {
    return [make("p", { className: "hint" }, strings.detail.noTable)];
  }
  const { categories, rationales, joint } = jointTable(scored);
  const rows = rationales.slice(0, 20);
  const columns = categories.slice(0, 20);
  const values = rows.map((_, r) => columns.map((_, c) => joint[c * rationales.length + r]! / whole));
  return [make("p", { className: "hint" }, strings.detail.tableHint), heatMap({ rows, columns, values }, strings.table.label)];
}

/** The controls in a part of the page, in order. */
function controls(part: HTMLElement): HTMLElement[] {
  return [...part.querySelectorAll<HTMLElement>("button, input, summary, [tabindex]")];
}

/** What a control is called by after everything was drawn again. */
function nameOf(e: Element): string {
  return `${e.tagName} ${e instanceof HTMLInputElement ? e.value : (e.getAttribute("aria-label") ?? e.textContent)}`;
}
