/** The panel where categories and their reasons are edited. */

import { byId, download, make } from "./dom";
import { checkCategories, counts, formatPack, parsePack, tidy, type Pack, type Problem } from "./labels";
import * as strings from "./strings";
import type { Category } from "./wire";

/** Edits a copy of a label pack; nothing changes outside before it is applied. */
export class Editor {
  private readonly search = byId<HTMLInputElement>("label-search");
  private readonly list = byId<HTMLUListElement>("label-list");
  private readonly form = byId<HTMLFormElement>("label-form");
  private readonly name = byId<HTMLInputElement>("label-name");
  private readonly rationales = byId<HTMLTextAreaElement>("label-rationales");
  private readonly problem = byId("label-problem");
  private readonly counts = byId("label-counts");
  private readonly status = byId("label-status");
  private readonly applyButton = byId<HTMLButtonElement>("label-apply");
  private readonly resetButton = byId<HTMLButtonElement>("label-reset");

  private shipped: Pack | undefined;
  private pack: Pack | undefined; // as edited
  private applied = ""; // text of the pack in use
  private selected: Category | undefined;
  private problems: Problem[] = [];

  /** @param apply puts an edited pack to use and returns what to say about it. */
  constructor(private readonly apply: (pack: Pack) => Promise<string>) {
    this.search.oninput = () => this.showList();
    this.name.oninput = this.rationales.oninput = () => this.edit();
    this.form.onsubmit = (event) => event.preventDefault();
    byId("label-add").onclick = () => this.add();
    byId("label-remove").onclick = () => this.remove();
    byId("label-export").onclick = () => this.export();
    byId("label-import").onclick = () => byId("label-file").click();
    byId<HTMLInputElement>("label-file").onchange = (event) => void this.import(event.target as HTMLInputElement);
    this.applyButton.onclick = () => void this.applyNow();
    this.resetButton.onclick = () => this.shipped && this.open(this.shipped);
    // In a text field Escape leaves a search; elsewhere browsers have their own use for it.
    this.search.onkeydown = (event) => {
      if (event.key === "Escape") {
        this.search.value = "";
        this.showList();
      }
    };
  }

  /** Starts with the pack that is in use. */
  start(pack: Pack): void {
    this.shipped = pack;
    this.applied = formatPack(pack);
    this.open(pack);
  }

  private open(pack: Pack): void {
    this.pack = structuredClone(pack);
    this.select(this.pack.categories[0]);
    this.changed();
  }

  /** Takes the fields' text into the selected category. */
  private edit(): void {
    if (!this.selected) {
      return;
    }
    this.selected.name = this.name.value;
    this.selected.rationales = this.rationales.value.split("\n").filter((line) => line.trim() !== "");
    this.changed();
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

  private select(category: Category | undefined): void {
    this.selected = category;
    this.form.hidden = !category;
    this.name.value = category?.name ?? "";
    this.rationales.value = category?.rationales.join("\n") ?? "";
    this.showProblem();
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === category?.name));
    }
  }

  /** Checks the edited pack again and shows its state. */
  private changed(): void {
    const pack = this.tidied();
    this.problems = checkCategories(pack.categories);
    const { categories, rationales } = counts(pack.categories);
    this.counts.textContent = strings.editor.counts(categories, rationales);
    const text = formatPack(pack);
    const fresh = text === this.applied;
    this.applyButton.disabled = fresh || this.problems.length > 0;
    this.resetButton.disabled = this.shipped === undefined || text === formatPack(this.shipped);
    if (this.problems.length > 0) {
      this.say(strings.editor.problems(this.problems.length));
    } else if (!fresh) {
      this.say(strings.editor.changed);
    } else {
      this.say(this.resetButton.disabled ? strings.editor.shipped : strings.editor.applied);
    }
    this.showList();
    this.showProblem();
  }

  private tidied(): Pack {
    if (!this.pack) {
      throw new Error("the label pack is not loaded");
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
      const button = make("button", { type: "button", value: c.name, "aria-pressed": String(c === this.selected), onclick: () => this.select(c) }, c.name || "…");
      if (bad.has(i)) {
        button.classList.add("bad");
      }
      items.push(make("li", {}, button));
    });
    this.list.replaceChildren(...(items.length > 0 ? items : [make("li", { className: "hint" }, strings.editor.nothingFound)]));
  }

  private async applyNow(): Promise<void> {
    const pack = this.tidied();
    this.applyButton.disabled = true;
    this.say(strings.editor.applying);
    try {
      const remark = await this.apply(pack);
      this.applied = formatPack(pack);
      this.changed();
      this.say(remark);
    } catch (e) {
      this.changed();
      this.say(strings.editor.refused((e as Error).message));
    }
  }

  private export(): void {
    const pack = this.tidied();
    download(`${pack.name || strings.editor.custom}.json`, "application/json", formatPack(pack));
  }

  private async import(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0];
    if (!file) {
      return;
    }
    try {
      const pack = parsePack(await file.text());
      this.search.value = "";
      this.open(pack);
      this.say(strings.editor.imported(pack.name));
    } catch (e) {
      this.say(strings.editor.importFailed((e as Error).message));
    } finally {
      input.value = "";
    }
  }

  private say(text: string): void {
    this.status.textContent = text;
  }
}
