/** The bar that says which photos are shown, and in which order. */

import { button, make, throttle } from "../dom";
import type { Review } from "../review/review";
import { decisions, defaultUnsure, states, type Counts, type Decision, type Filter, type Method, type SortKey, type State, type Unsure } from "../review/types";
import type { View } from "../review/view";
import * as strings from "../strings";
import { methods } from "../wire";

const countInterval = 250; // milliseconds
const sortKeys = Object.keys(strings.sortNames) as SortKey[];
/** Keys that begin with the smallest value. */
const ascending: readonly SortKey[] = ["added", "name", "path", "category"];

export class Filters {
  readonly element: HTMLElement;
  readonly search = make("input", { type: "search", id: "search", autocomplete: "off", spellcheck: false });
  private readonly category = make("select", { id: "filter-category" });
  private readonly rationale = make("select", { id: "filter-rationale" });
  private readonly decision = make("select", { id: "filter-decision" });
  private readonly state = make("select", { id: "filter-state" });
  private readonly tag = make("select", { id: "filter-tag" });
  private readonly from = percentage("filter-from", 0);
  private readonly to = percentage("filter-to", 1);
  private readonly copies = make("select", { id: "filter-copies" });
  private readonly unsure = make("input", { type: "checkbox", id: "filter-unsure" });
  private readonly lead = percentage("filter-lead", defaultUnsure.margin);
  private readonly unweighed = percentage("filter-unweighed", defaultUnsure.uncovered);
  private readonly sort = make("select", { id: "sort" });
  private readonly descending = button({ id: "descending", title: strings.filters.descending, "aria-pressed": "false", onclick: () => this.turn(this.descending.ariaPressed !== "true") }, "↑");
  private readonly method = make("select", { id: "method" });
  private readonly shown = make("span");
  private readonly clearButton = button({ id: "filter-clear", className: "quiet", onclick: () => this.clear() }, strings.filters.clear);
  private readonly tagField = field(strings.filters.tag, this.tag);
  private readonly copiesName = make("span");
  private readonly copiesField = field(this.copiesName, this.copies);
  private readonly unsureBox = make("label", { className: "check" }, this.unsure, strings.filters.unsure);
  /** What "unsure" means; they are there while that filter is on. */
  private readonly unsureFields = [field(strings.filters.lead, this.lead), field(strings.filters.unweighed, this.unweighed)];

  constructor(
    private readonly review: Review,
    private readonly view: View,
    onMethod: (method: Method) => void,
    private readonly onCleared: () => void,
  ) {
    const toggle = button({
      id: "filters-open",
      className: "always",
      "aria-expanded": "false",
      onclick: () => toggle.setAttribute("aria-expanded", String(this.element.classList.toggle("open"))),
    }, strings.filters.open);
    this.sort.append(...sortKeys.map((key) => make("option", { value: key }, strings.sortNames[key])));
    this.method.append(...methods.map((m) => make("option", { value: m, title: strings.methodHints[m] }, strings.methodNames[m])));
    this.method.onchange = () => onMethod(this.method.value as Method);
    const search = field(strings.filters.search, this.search);
    search.classList.add("always");
    const shown = make("div", { id: "shown", className: "always" }, this.shown, this.clearButton);
    this.element = make(
      "section",
      { className: "filters", "aria-label": strings.filters.label },
      search,
      toggle,
      field(strings.filters.category, this.category),
      field(strings.filters.rationale, this.rationale),
      field(strings.filters.decision, this.decision),
      field(strings.filters.state, this.state),
      this.tagField,
      this.copiesField,
      field(strings.filters.from, this.from),
      field(strings.filters.to, this.to),
      this.unsureBox,
      ...this.unsureFields,
      field(strings.filters.sort, this.sort),
      this.descending,
      field(strings.filters.method, this.method),
      shown,
    );
    const apply = () => this.apply();
    for (const control of [this.category, this.rationale, this.decision, this.state, this.tag, this.copies, this.from, this.to, this.unsure, this.lead, this.unweighed]) {
      control.addEventListener("change", apply);
    }
    this.sort.onchange = () => {
      this.turn(!ascending.includes(this.sort.value as SortKey));
    };
    this.search.addEventListener("input", throttle(apply, 120));
    // Lists can be long: each is filled when somebody comes to it.
    const lists: readonly (readonly [HTMLSelectElement, () => readonly Option[]])[] = [
      [this.category, () => byName(review.counts.categories)],
      [this.rationale, () => byName(review.counts.rationales)],
      [this.tag, () => byName(review.counts.tags)],
      [this.decision, () => decisions.map((d) => [d, strings.decisionNames[d], review.counts.decisions.get(d) ?? 0])],
      [this.state, () => states.map((s) => [s, strings.stateNames[s], review.counts.states.get(s) ?? 0])],
      [this.copies, () => copiesOptions(review.counts)],
    ];
    for (const [select, options] of lists) {
      select.onfocus = select.onpointerdown = () => fill(select, options());
      fill(select, []);
    }
    review.on("items", throttle(() => this.showCount(), countInterval));
    review.on("wanted", () => (this.method.value = review.method));
    view.on(throttle(() => this.showCount(), countInterval));
    this.showUnsure();
    this.showCount();
  }

  /** Removes every filter; what "unsure" means stays. */
  clear(): void {
    for (const control of [this.category, this.rationale, this.decision, this.state, this.tag, this.copies, this.from, this.to, this.search]) {
      control.value = "";
    }
    this.unsure.checked = false;
    this.apply();
    this.onCleared();
  }

  /** Sorts from the largest or from the smallest. */
  private turn(descending: boolean): void {
    this.descending.ariaPressed = String(descending);
    this.descending.textContent = descending ? "↓" : "↑";
    this.apply();
  }

  private apply(): void {
    const one = (select: HTMLSelectElement) => (select.value === "" ? undefined : new Set([select.value]));
    const filter: Filter = {};
    if (this.search.value.trim()) {
      filter.text = this.search.value;
    }
    const [categories, rationales, tags] = [one(this.category), one(this.rationale), one(this.tag)];
    if (categories) {
      filter.categories = categories;
    }
    if (rationales) {
      filter.rationales = rationales;
    }
    if (tags) {
      filter.tags = tags;
    }
    if (this.decision.value) {
      filter.decisions = new Set([this.decision.value as Decision]);
    }
    if (this.state.value) {
      filter.states = new Set([this.state.value as State]);
    }
    if (this.from.value || this.to.value) {
      filter.share = [part(this.from, 0), part(this.to, 1)];
    }
    if (this.unsure.checked) {
      filter.unsure = this.meaning();
    }
    if (this.copies.value) {
      filter.duplicates = this.copies.value === "only";
    }
    this.showUnsure();
    this.view.set(filter, { by: this.sort.value as SortKey, descending: this.descending.ariaPressed === "true" });
    this.showCount();
  }

  /** Returns what "unsure" means now. */
  private meaning(): Unsure {
    return { margin: part(this.lead, defaultUnsure.margin), uncovered: part(this.unweighed, defaultUnsure.uncovered) };
  }

  private showUnsure(): void {
    const { margin, uncovered } = this.meaning();
    this.unsureBox.title = strings.filters.unsureHint(margin, uncovered);
    this.unsureFields.forEach((each) => (each.hidden = !this.unsure.checked));
  }

  /** Shows how many photos there are, and the fields that these photos need. */
  showCount(): void {
    const { duplicates } = this.review.counts;
    this.copiesField.hidden = duplicates === 0 && this.copies.value === "";
    this.copiesName.textContent = strings.filters.option(strings.filters.copies, duplicates);
    this.tagField.hidden = this.review.counts.tags.size === 0 && this.tag.value === "";
    this.shown.textContent = strings.filters.shown(this.view.length, this.review.size);
    this.clearButton.hidden = Object.keys(this.view.filter).length === 0;
  }
}

type Option = readonly [value: string, name: string, n: number];

function copiesOptions({ all, duplicates }: Counts): Option[] {
  return [
    ["only", strings.filters.onlyCopies, duplicates],
    ["none", strings.filters.noCopies, all - duplicates],
  ];
}

function byName(counts: ReadonlyMap<string, number>): Option[] {
  return [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, n]) => [name, name, n] as const);
}

function fill(select: HTMLSelectElement, options: readonly Option[]): void {
  const chosen = select.value;
  const there = options.some(([value]) => value === chosen) || chosen === "" ? options : [...options, [chosen, chosen, 0] as const];
  select.replaceChildren(make("option", { value: "" }, strings.filters.any), ...there.map(([value, name, n]) => make("option", { value }, strings.filters.option(name, n))));
  select.value = chosen;
}

/** A field for a part of 1 in per cent; left empty it means what it shows. */
function percentage(id: string, otherwise: number): HTMLInputElement {
  return make("input", { type: "number", id, min: "0", max: "100", placeholder: String(100 * otherwise) });
}

function part(input: HTMLInputElement, otherwise: number): number {
  return input.value === "" ? otherwise : Number(input.value) / 100;
}

function field(name: string | Node, control: HTMLElement): HTMLLabelElement {
  return make("label", {}, name, control);
}
