/** A table of probabilities as a heat map; hover and arrow keys show the value of a cell. */

import { make } from "../dom";
import * as strings from "../strings";

export interface Table {
  rows: readonly string[];
  columns: readonly string[];
  /** (rows, columns), of which each is a probability; 0 where it is too small to be known. */
  values: readonly (readonly number[])[];
}

/** Makes the heat map with a line below that names the cell under the pointer or the focus. */
export function heatMap(table: Table, label: string): HTMLElement {
  const largest = Math.max(...table.values.flat(), 1e-12);
  const readout = make("output", { className: "readout" }, strings.table.hint);
  const cells: HTMLTableCellElement[][] = [];
  const textOf = (r: number, c: number) => {
    const [row, column, p] = [table.rows[r] ?? "", table.columns[c] ?? "", table.values[r]?.[c] ?? 0];
    return p > 0 ? strings.table.cell(row, column, p) : strings.table.weak(row, column);
  };
  const sayCell = (r: number, c: number) => {
    readout.textContent = textOf(r, c);
  };
  const body = table.rows.map((row, r) => {
    const line = table.columns.map((_, c) => {
      const p = table.values[r]?.[c] ?? 0;
      const cell = make("td", {
        role: "gridcell",
        tabIndex: r === 0 && c === 0 ? 0 : -1,
        "aria-label": textOf(r, c),
        onmouseenter: () => sayCell(r, c),
        onfocus: () => sayCell(r, c),
      });
      // The square root keeps small values apart.
      cell.style.setProperty("--heat", `${(100 * Math.sqrt(p / largest)).toFixed(1)}%`);
      return cell;
    });
    cells.push(line);
    return make("tr", { role: "row" }, make("th", { role: "rowheader", scope: "row" }, make("span", {}, row)), ...line);
  });
  const head = make(
    "tr",
    { role: "row" },
    make("th", { role: "columnheader" }, make("span", { className: "unseen" }, strings.table.corner)),
    ...table.columns.map((c) => make("th", { role: "columnheader", scope: "col" }, make("span", {}, c))),
  );
  const grid = make("table", { role: "grid", className: "heat", "aria-label": label }, make("thead", { role: "rowgroup" }, head), make("tbody", { role: "rowgroup" }, ...body));
  grid.onkeydown = (event) => moveFocus(event, cells);
  return make("div", { className: "heat-map" }, make("div", { className: "heat-scroll" }, grid), readout);
}

function moveFocus(event: KeyboardEvent, cells: readonly (readonly HTMLElement[])[]): void {
  const r = cells.findIndex((line) => line.includes(event.target as HTMLElement));
  const c = cells[r]?.indexOf(event.target as HTMLElement) ?? -1;
  if (c < 0) {
    return;
  }
  const last = (cells[r]?.length ?? 1) - 1;
  const targets: Record<string, readonly [number, number]> = {
    ArrowLeft: [r, c - 1],
    ArrowRight: [r, c + 1],
    ArrowUp: [r - 1, c],
    ArrowDown: [r + 1, c],
    Home: [r, 0],
    End: [r, last],
  };
  const to = targets[event.key];
  if (!to) {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  const next = cells[to[0]]?.[to[1]];
  if (next) {
    (event.target as HTMLElement).tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
