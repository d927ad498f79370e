/** Probabilities as bars. */

import { button, make } from "../dom";
import { percent } from "../strings";

export interface Row {
  label: string;
  p: number;
}

/**
 * Shows probabilities, largest first; the bars compare them with the first.
 * Where onChoose is given, rows are buttons of which one is pressed.
 */
export function bars(rows: readonly Row[], chosen?: string, onChoose?: (label: string) => void): HTMLElement {
  const longest = Math.max(...rows.map(({ p }) => p), 1e-9);
  const list = make("ul", { className: "bars" });
  for (const { label, p } of rows) {
    const bar = make("span", { className: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--part", String(p / longest));
    const name = onChoose ? button({ className: "row-name", "aria-pressed": String(label === chosen), onclick: () => onChoose(label) }, label) : make("span", {}, label);
    list.append(make("li", {}, name, bar, make("span", { className: "value" }, percent(p))));
  }
  return list;
}
