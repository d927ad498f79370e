/** The panel about the model, where another weights file can be opened. */

import { button, make } from "../dom";
import type { Ecor } from "../api";
import * as strings from "../strings";
import { icon } from "./icons";
import { Sheet } from "./sheet";

export class ModelPanel {
  private readonly facts = make("dl", { className: "facts" });
  private readonly picker = make("input", { type: "file", id: "weights-file", accept: ".safetensors", hidden: true });
  private readonly expected = make("input", { type: "text", id: "weights-hash", autocomplete: "off", spellcheck: false, maxLength: 64 });
  private readonly status = make("p", { id: "weights-status", className: "hint", role: "status" }, strings.loading.starting);
  private readonly bar = make("progress", { max: 1, hidden: true, "aria-label": strings.model.title });
  private readonly openButton = button({ className: "primary", disabled: true, onclick: () => this.picker.click() }, icon("model"), strings.model.open);
  private readonly back = button({ hidden: true, onclick: () => void this.use(undefined) }, strings.model.back);
  private readonly sheet: Sheet;
  private ecor: Ecor | undefined;

  /** @param onOpened is told that another model is in use, from a file of this name, "" for the shipped one. */
  constructor(private readonly onOpened: (file: string) => void) {
    this.picker.onchange = () => {
      const file = this.picker.files?.[0];
      this.picker.value = "";
      if (file) {
        void this.use(file);
      }
    };
    this.sheet = new Sheet("model-sheet", strings.model.title, [
      this.facts,
      make("p", { className: "hint" }, strings.model.disclaimer),
      make("p", { className: "hint" }, strings.model.openHint),
      make("label", { className: "wide" }, strings.model.expected, this.expected),
      make("div", { className: "row" }, this.openButton, this.back),
      this.picker,
      this.bar,
      this.status,
    ]);
  }

  start(ecor: Ecor): void {
    this.ecor = ecor;
    this.openButton.disabled = false;
    this.status.textContent = "";
    this.showFacts();
  }

  /** Says why there is no model. */
  fail(text: string): void {
    this.status.textContent = text;
  }

  /** Opens the dialog that chooses a weights file, and the panel that says what becomes of it. */
  choose(): void {
    this.sheet.open();
    this.picker.click();
  }

  open(): void {
    this.sheet.open();
  }

  private showFacts(): void {
    const model = this.ecor?.model;
    if (!model) {
      return;
    }
    const rows: readonly (readonly [string, string])[] = [
      [strings.model.name, model.name],
      [strings.model.origin, model.shipped ? strings.model.shipped : strings.model.own],
      [strings.model.size, strings.model.megabytes(model.bytes)],
      [strings.model.parameters, strings.model.millions(model.parameters)],
      [strings.model.scheme, model.scheme],
      [strings.model.license, model.license],
      [strings.model.hash, model.sha256],
      [strings.model.kernel, model.kernel],
      [strings.model.version, model.version],
    ];
    this.back.hidden = model.shipped;
    this.facts.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  /** Opens a weights file, or the shipped one again. */
  private async use(file: File | undefined): Promise<void> {
    if (!this.ecor) {
      return;
    }
    const sha256 = file && this.expected.value.trim().toLowerCase();
    this.openButton.disabled = this.back.disabled = true;
    this.bar.hidden = false;
    this.status.classList.remove("error");
    this.status.textContent = strings.model.opening(0);
    try {
      const info = await this.ecor.openWeights(file, {
        ...(sha256 ? { sha256 } : {}),
        onProgress: ({ done, total }) => {
          this.bar.value = done / total;
          this.status.textContent = strings.model.opening(done / total);
        },
      });
      this.status.textContent = strings.model.opened(info.name);
      this.onOpened(file?.name ?? "");
    } catch (e) {
      this.status.classList.add("error");
      this.status.textContent = strings.model.refused((e as Error).message);
    } finally {
      this.openButton.disabled = this.back.disabled = false;
      this.bar.hidden = true;
      this.showFacts();
    }
  }
}
