/** The list of keys. */

import { make } from "../dom";
import * as strings from "../strings";
import { Sheet } from "./sheet";

export class Help {
  private readonly advance = make("input", { type: "checkbox", id: "advance", checked: true });
  private readonly single = make("input", { type: "checkbox", id: "single-keys", checked: true });
  private readonly sheet: Sheet;

  /** @param onChange runs after a setting was changed. */
  constructor(onChange: () => void) {
    this.advance.onchange = this.single.onchange = onChange;
    const rows = strings.help.keys.flatMap(([keys, what]) => [make("dt", {}, ...keys.split(" ").flatMap((k) => [isKey(k) ? make("kbd", {}, k) : k, " "])), make("dd", {}, what)]);
    this.sheet = new Sheet("help", strings.help.title, [make("dl", { className: "keys" }, ...rows), make("label", { className: "check" }, this.single, " ", strings.help.single), make("label", { className: "check" }, this.advance, " ", strings.help.advance)]);
  }

  /** Whether a decision leads to the next photo. */
  get advances(): boolean {
    return this.advance.checked;
  }

  set advances(on: boolean) {
    this.advance.checked = on;
  }

  /** Whether single letters decide. */
  get singleKeys(): boolean {
    return this.single.checked;
  }

  set singleKeys(on: boolean) {
    this.single.checked = on;
  }

  open(): void {
    this.sheet.open();
  }
}

function isKey(word: string): boolean {
  return !/^[a-z]{2,}$/.test(word);
}
