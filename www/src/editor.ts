/** The panel where categories, their reasons and the prompts are edited. */

import type { LabelsInfo, Pack } from "./api";
import { button, download, make } from "./dom";
import { checkCategories, counts, formatPack, parsePack, tidy, type Problem } from "./labels";
import * as strings from "./strings";
import { icon } from "./ui/icons";
import { Sheet } from "./ui/sheet";
import type { Category, Templates } from "./wire";

const kinds = ["category", "rationale", "conditional"] as const satisfies readonly (keyof Templates)[];

/** A pack that people can start from. */
export interface Choice {
  name: string;
  pack(): Pack;
}

/** Edits a copy of a label pack; nothing changes outside before it is applied. */
export class Editor {
  private readonly choice = make("select", { id: "label-choice" });
  private readonly search = make("input", { type: "search", id: "label-search", autocomplete: "off", spellcheck: false });
  private readonly list = make("ul", { id: "label-list", "aria-label": strings.editor.list });
  private readonly name = make("input", { type: "text", id: "label-name", autocomplete: "off", "aria-describedby": "label-problem" });
  private readonly rationales = make("textarea", { id: "label-rationales", rows: 8, "aria-describedby": "label-problem" });
  private readonly problem = make("p", { id: "label-problem", className: "error", role: "alert" });
  private readonly form: HTMLFormElement;
  private readonly templates = Object.fromEntries(kinds.map((kind) => [kind, make("textarea", { id: `template-${kind}`, rows: 2, spellcheck: false })])) as Record<keyof Templates, HTMLTextAreaElement>;
  private readonly counts = make("span", { id: "label-counts", className: "hint" });
  private readonly status = make("span", { id: "label-status", className: "hint", role: "status" }, strings.loading.starting);
  private readonly parts: readonly HTMLElement[]; // that are out of reach until there is a pack
  private readonly warnings = make("ul", { id: "label-warnings", className: "plain hint" });
  private readonly applyButton = button({ id: "label-apply", className: "primary", disabled: true, onclick: () => void this.applyNow() }, strings.editor.apply);
  private readonly resetButton = button({ id: "label-reset", disabled: true, onclick: () => this.reset() }, strings.editor.reset);
  private readonly file = make("input", { type: "file", id: "label-file", accept: "application/json,.json", hidden: true, onchange: () => void this.import() });
  private readonly sheet: Sheet;

  private shipped: Pack | undefined;
  private pack: Pack | undefined; // as edited
  private unseen = false; // the pack is not in the fields
  private applied = ""; // text of the pack in use
  private selected: Category | undefined;
  private problems: Problem[] = [];

  /** @param apply puts an edited pack to use. */
  constructor(
    private readonly apply: (pack: Pack) => Promise<LabelsInfo>,
    private readonly choices: readonly Choice[],
  ) {
    const label = (text: string, control: HTMLElement) => make("label", { htmlFor: control.id }, text);
    this.form = make(
      "form",
      { id: "label-form", onsubmit: (event) => event.preventDefault() },
      label(strings.editor.name, this.name),
      this.name,
      label(strings.editor.rationales, this.rationales),
      this.rationales,
      this.problem,
      button({ id: "label-remove", className: "quiet", onclick: () => this.remove() }, icon("trash"), strings.editor.remove),
    );
    const finder = make("div", { className: "finder" }, label(strings.editor.search, this.search), this.search, this.list, button({ id: "label-add", onclick: () => this.add() }, icon("add"), strings.editor.add));
    const prompts = make("details", {}, make("summary", {}, strings.editor.templates), make("p", { className: "hint" }, strings.editor.templatesHint), make("div", { className: "templates" }, ...kinds.flatMap((kind) => [label(strings.editor.templateNames[kind], this.templates[kind]), this.templates[kind]])));
    this.parts = [
      make("div", { className: "row" }, make("label", { htmlFor: "label-choice" }, strings.editor.start), this.choice, this.counts),
      make("div", { className: "editor" }, finder, this.form),
      prompts,
      make(
        "div",
        { className: "row" },
        this.applyButton,
        this.resetButton,
        button({ id: "label-import", onclick: () => this.file.click() }, strings.editor.import),
        button({ id: "label-export", onclick: () => this.export() }, strings.editor.export),
        this.file,
      ),
    ];
    this.setInert(true);
    this.sheet = new Sheet("labels", strings.editor.title, [make("p", { className: "hint" }, strings.editor.hint), ...this.parts, this.status, this.warnings]);
    this.search.oninput = () => this.showList();
    this.name.oninput = this.rationales.oninput = () => this.edit();
    for (const kind of kinds) {
      this.templates[kind].oninput = () => this.editTemplates();
    }
    this.choice.onchange = () => this.choose();
    this.list.onkeydown = (event) => this.onListKey(event);
    // Escape leaves a search before it closes the panel.
    this.search.onkeydown = (event) => {
      if (event.key === "Escape" && this.search.value) {
        event.preventDefault();
        this.search.value = "";
        this.showList();
      }
    };
  }

  /**
   * Starts with the pack that is in use.
   * @param own are the weights' own prompts, for packs without any.
   */
  start(shipped: Pack, used: Pack, own: Templates): void {
    this.shipped = shipped;
    this.applied = formatPack(used);
    this.choice.replaceChildren(
      make("option", { value: "" }, strings.editor.asItIs),
      make("option", { value: "0" }, shipped.name || strings.editor.shippedName),
      ...this.choices.map((c, i) => make("option", { value: String(i + 1) }, c.name)),
    );
    this.showOwn(own);
    this.setInert(false);
    this.pack = used;
    this.unseen = true;
    if (this.sheet.isOpen) {
      this.show();
    }
  }

  /** Shows the prompts of the weights in use. */
  showOwn(own: Templates): void {
    for (const kind of kinds) {
      this.templates[kind].placeholder = own[kind].join("\n");
    }
  }

  /** Says why there is nothing to edit. */
  fail(text: string): void {
    this.say(text);
  }

  private setInert(on: boolean): void {
    for (const part of this.parts) {
      part.inert = on;
    }
  }

  open(): void {
    this.show();
    this.sheet.open();
  }

  /** Fills the fields and the list, which takes a while, when they are first seen. */
  private show(): void {
    if (this.unseen && this.pack) {
      this.unseen = false;
      this.edited(this.pack);
    }
  }

  /** Names of all categories in use. */
  get categories(): readonly string[] {
    return this.pack?.categories.map((c) => c.name) ?? [];
  }

  /** Begins to edit a pack. */
  private edited(pack: Pack): void {
    this.pack = structuredClone(pack);
    for (const kind of kinds) {
      this.templates[kind].value = pack.templates[kind].join("\n");
    }
    this.select(this.pack.categories[0]);
    this.warnings.replaceChildren();
    this.changed();
  }

  private choose(): void {
    const { value } = this.choice;
    const pack = value === "0" ? this.shipped : this.choices[Number(value) - 1]?.pack();
    if (value && pack) {
      this.search.value = "";
      this.edited(pack);
    }
  }

  private reset(): void {
    if (this.shipped) {
      this.choice.value = "0";
      this.choose();
    }
  }

  /** Takes the fields' text into the selected category. */
  private edit(): void {
    if (this.selected) {
      this.selected.name = this.name.value;
      this.selected.rationales = lines(this.rationales.value);
      this.changed();
    }
  }

  private editTemplates(): void {
    if (this.pack) {
      for (const kind of kinds) {
        this.pack.templates[kind] = lines(this.templates[kind].value);
      }
      this.changed();
    }
  }

  private add(): void {
    if (!this.pack) {
      return;
    }
    const category: Category = { name: this.search.value.trim() || strings.editor.newName, rationales: [] };
    this.pack.categories.unshift(category);
    this.search.value = "";
    this.select(category);
    this.changed();
    this.name.focus();
    this.name.select();
  }

  private remove(): void {
    if (!this.pack || !this.selected) {
      return;
    }
    const at = this.pack.categories.indexOf(this.selected);
    this.pack.categories.splice(at, 1);
    this.select(this.pack.categories[at] ?? this.pack.categories[at - 1]);
    this.changed();
    this.search.focus();
  }

  /** Shows a category to be edited; a key goes on to its fields. */
  private take(category: Category, byKey: boolean): void {
    this.select(category);
    if (byKey) {
      this.name.focus();
    }
  }

  /** Goes through the list by arrow keys. */
  private onListKey(event: KeyboardEvent): void {
    const buttons = [...this.list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) {
      return;
    }
    event.preventDefault();
    buttons[to]?.focus();
    reach(buttons, buttons[to] ?? buttons[at]);
  }

  private select(category: Category | undefined): void {
    this.selected = category;
    this.form.hidden = !category;
    this.name.value = category?.name ?? "";
    this.rationales.value = category?.rationales.join("\n") ?? "";
    this.showProblem();
    const buttons = [...this.list.querySelectorAll("button")];
    for (const each of buttons) {
      each.setAttribute("aria-pressed", String(each.value === category?.name));
    }
    reach(buttons, buttons.find((b) => b.ariaPressed === "true"));
  }

  /** Checks the edited pack again and shows its state. */
  private changed(): void {
    const pack = this.tidied();
    this.problems = checkCategories(pack.categories);
    const { categories, rationales } = counts(pack.categories);
    this.counts.textContent = strings.editor.counts(categories, rationales);
    const text = formatPack(pack);
    const same = text === this.applied;
    const wrongTemplate = this.problems.length === 0 ? problemOf(text) : "";
    this.applyButton.disabled = same || this.problems.length > 0 || wrongTemplate !== "";
    this.resetButton.disabled = this.shipped === undefined || text === formatPack(this.shipped);
    if (this.problems.length > 0) {
      this.say(strings.editor.problems(this.problems.length));
    } else if (wrongTemplate) {
      this.say(wrongTemplate);
    } else if (!same) {
      this.say(strings.editor.changed);
    } else {
      this.say(this.resetButton.disabled ? strings.editor.shipped : strings.editor.applied);
    }
    this.showList();
    this.showProblem();
  }

  private tidied(): Pack {
    if (!this.pack) {
      throw new Error(strings.engineProblems.notLoaded);
    }
    return { ...this.pack, categories: this.pack.categories.map(tidy) };
  }

  private showProblem(): void {
    const at = this.selected && this.pack ? this.pack.categories.indexOf(this.selected) : undefined;
    const message = this.problems.find((p) => p.category === at || p.category === undefined)?.message ?? "";
    this.problem.textContent = message;
    const invalid = String(message !== "");
    this.name.setAttribute("aria-invalid", invalid);
    this.rationales.setAttribute("aria-invalid", invalid);
  }

  private showList(): void {
    if (!this.pack) {
      return;
    }
    const wanted = this.search.value.trim().toLowerCase();
    const bad = new Set(this.problems.map((p) => p.category));
    const items: HTMLLIElement[] = [];
    this.pack.categories.forEach((c, i) => {
      if (![c.name, ...c.rationales].some((s) => s.toLowerCase().includes(wanted))) {
        return;
      }
      const choose = button({ value: c.name, "aria-pressed": String(c === this.selected), onclick: (event) => this.take(c, event.detail === 0) }, c.name || "…");
      if (bad.has(i)) {
        choose.classList.add("bad");
      }
      items.push(make("li", {}, choose));
    });
    const buttons = items.map((item) => item.firstElementChild as HTMLButtonElement);
    reach(buttons, buttons.find((b) => b.ariaPressed === "true"));
    this.list.replaceChildren(...(items.length > 0 ? items : [make("li", { className: "hint" }, strings.editor.nothingFound)]));
  }

  private async applyNow(): Promise<void> {
    const pack = this.tidied();
    this.applyButton.disabled = true;
    this.say(strings.editor.applying);
    try {
      const { warnings } = await this.apply(pack);
      this.applied = formatPack(pack);
      this.changed();
      this.say(strings.editor.appliedWith(warnings.length));
      this.warnings.replaceChildren(...warnings.map((w) => make("li", {}, w)));
    } catch (e) {
      this.changed();
      this.say(strings.editor.refused((e as Error).message));
    }
  }

  private export(): void {
    const pack = this.tidied();
    download(`${pack.name || strings.editor.custom}.json`, new Blob([formatPack(pack)], { type: "application/json" }));
  }

  private async import(): Promise<void> {
    const file = this.file.files?.[0];
    if (!file) {
      return;
    }
    try {
      const pack = parsePack(await file.text());
      this.search.value = "";
      this.choice.value = "";
      this.edited(pack);
      this.say(strings.editor.imported(pack.name));
    } catch (e) {
      this.say(strings.editor.importFailed((e as Error).message));
    } finally {
      this.file.value = "";
    }
  }

  private say(text: string): void {
    this.status.textContent = text;
  }
}

/** Makes one button of a list the stop of the Tab key, the first where none is given; arrow keys go through the others. */
function reach(buttons: readonly HTMLButtonElement[], stop = buttons[0]): void {
  buttons.forEach((b) => (b.tabIndex = b === stop ? 0 : -1));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** Says what is wrong with a pack's text, "" where nothing is. */
function problemOf(text: string): string {
  try {
    parsePack(text);
    return "";
  } catch (e) {
    return (e as Error).message;
  }
}
