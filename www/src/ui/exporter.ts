/** The panel that takes results and sorted photos away. */

import { button, download, make } from "../dom";
import { canWriteFolders, mayUse } from "../review/files";
import type { Review } from "../review/review";
import { BlobSink, places, sortInto, zipInto, type Sorted } from "../review/sort";
import { answersCSV, reviewCSV, reviewJSON, type About } from "../review/tables";
import * as strings from "../strings";
import { Sheet } from "./sheet";

type Scope = "all" | "shown" | "chosen";
type Grouping = "category" | "decision";

export interface ExportSource {
  readonly review: Review;
  ids(scope: Scope): number[];
  about(): About;
  /** Folders that photos came from, as far as the browser has handles of them. */
  folders(): readonly FileSystemDirectoryHandle[];
  /** Photos were moved into a folder. */
  onMoved(folder: FileSystemDirectoryHandle): void;
}

export class Exporter {
  private readonly scopes = make("div", { className: "segments", role: "radiogroup", "aria-label": strings.exporter.scope });
  private readonly grouping = make(
    "select",
    { id: "export-by" },
    ...(["category", "decision"] as const).map((by) => make("option", { value: by }, strings.exporter.by[by])),
  );
  private readonly choices = make("div", { className: "choices" });
  private readonly bar = make("progress", { max: 1, hidden: true, "aria-label": strings.exporter.title });
  private readonly cancel = button({ onclick: () => this.abort?.abort() }, strings.common.cancel);
  private readonly cancelRow = make("div", { className: "row", hidden: true }, this.cancel);
  private readonly status = make("p", { id: "export-status", role: "status" });
  private readonly problems = make("ul", { className: "listed error", id: "export-problems", tabIndex: 0, "aria-label": strings.exporter.problems });
  private readonly sheet: Sheet;
  private scope: Scope = "all";
  private abort: AbortController | undefined;

  constructor(private readonly source: ExportSource) {
    this.sheet = new Sheet("export", strings.exporter.title, [
      this.scopes,
      make("label", {}, strings.exporter.grouping, " ", this.grouping),
      this.choices,
      this.bar,
      this.status,
      this.cancelRow,
      this.problems,
    ]);
  }

  open(): void {
    const counts = { all: this.source.ids("all").length, shown: this.source.ids("shown").length, chosen: this.source.ids("chosen").length };
    this.scope = counts.chosen > 1 ? "chosen" : counts.shown < counts.all && counts.shown > 0 ? "shown" : "all";
    const names = { all: strings.exporter.scopeAll(counts.all), shown: strings.exporter.scopeShown(counts.shown), chosen: strings.exporter.scopeChosen(counts.chosen) };
    const scopes = (Object.keys(counts) as Scope[]).filter((scope) => scope === "all" || counts[scope] > 0);
    this.scopes.replaceChildren(
      ...scopes.map((scope) =>
        make("label", {}, make("input", { type: "radio", name: "export-scope", value: scope, checked: scope === this.scope, onchange: () => this.choose(scope) }), make("span", {}, names[scope])),
      ),
    );
    this.say("");
    this.offer();
    this.sheet.open();
  }

  private choose(scope: Scope): void {
    this.scope = scope;
    this.offer();
  }

  private offer(): void {
    const folders = canWriteFolders();
    const ids = this.ids();
    const stale = ids.filter((id) => this.source.review.toScore.has(id)).length;
    const absent = ids.length - this.here(ids).length;
    const movable = ids.some((id) => this.source.review.source(id)?.handle);
    const choice = (id: string, [name, hint]: readonly [string, string], run: () => void, enabled = true) =>
      button({ id: `export-${id}`, disabled: !enabled, onclick: run }, make("strong", {}, name), make("small", {}, hint));
    const { review } = this.source;
    this.choices.replaceChildren(
      choice("csv", strings.exporter.csv, () => void this.save("review.csv", (ids) => reviewCSV(review, ids))),
      choice("answers", strings.exporter.answers, () => void this.save("answers.csv", (ids) => answersCSV(review, ids))),
      choice("json", strings.exporter.json, () => void this.save("review.json", (ids) => reviewJSON(review, ids, this.source.about()))),
      ...(folders
        ? [
            choice("copy", strings.exporter.copy, () => void this.sort(false)),
            choice("move", movable ? strings.exporter.move : [strings.exporter.move[0], strings.exporter.noMove], () => void this.confirmMove(), movable),
          ]
        : []),
      choice("zip", strings.exporter.zip, () => void this.zip()),
      ...(folders ? [] : [make("p", { className: "hint" }, strings.exporter.noFolders)]),
      ...(stale > 0 ? [make("p", { className: "hint", id: "export-stale" }, strings.exporter.stale(stale))] : []),
      ...(absent > 0 ? [make("p", { className: "hint", id: "export-absent" }, strings.exporter.absent(absent))] : []),
    );
  }

  private ids(): number[] {
    return this.source.ids(this.scope);
  }

  private async save(name: string, write: (ids: number[]) => Promise<Blob>): Promise<void> {
    await this.busy(async () => {
      this.say(strings.exporter.writing(name));
      download(name, await write(this.ids()));
      this.say(strings.exporter.saved(name));
    });
  }

  /**
   * Asks the browser for the right to change the folders that photos come from,
   * while it handles the press of a button, and the person whether to move.
   */
  private async confirmMove(): Promise<void> {
    const n = this.plan().length;
    let allowed = false;
    await this.busy(async () => {
      this.say(strings.exporter.asking);
      const roots = new Set(this.here(this.ids()).map((id) => this.source.review.get(id)!.path.split("/")[0]));
      const folders = this.source.folders().filter((folder) => roots.has(folder.name));
      allowed = (await Promise.all(folders.map((folder) => mayUse(folder, "readwrite", true)))).every(Boolean);
      this.say(allowed ? "" : strings.exporter.notAllowed);
    });
    if (!allowed) {
      return;
    }
    const cancel = () => {
      this.offer();
      this.choices.querySelector<HTMLElement>("#export-move")?.focus();
    };
    const back = button({ onclick: cancel }, strings.common.cancel);
    const now = button({ className: "danger", id: "move-now", onclick: () => void this.sort(true) }, strings.exporter.moveNow);
    this.choices.replaceChildren(make("p", { role: "alert" }, strings.exporter.confirmMove(n)), make("div", { className: "row" }, back, now));
    back.focus();
  }

  /** Photos whose files are at hand. */
  private here(ids: readonly number[]): number[] {
    return ids.filter((id) => this.source.review.get(id)?.attached);
  }

  /** Where each photo that is at hand goes. */
  private plan() {
    return places(this.source.review, this.here(this.ids()), this.grouping.value as Grouping);
  }

  private async sort(move: boolean): Promise<void> {
    const pick = (globalThis as { showDirectoryPicker?: (options: object) => Promise<FileSystemDirectoryHandle> }).showDirectoryPicker;
    await this.work(async (signal, onProgress) => {
      const target = await pick?.({ mode: "readwrite", id: "ecor-export" });
      if (!target || !(await mayUse(target, "readwrite", true))) {
        return undefined;
      }
      const sorted = await sortInto(target, this.source.review, this.plan(), { move, signal, onProgress });
      if (sorted.some(({ result }) => result === "moved")) {
        this.source.onMoved(target);
      }
      return sorted;
    });
  }

  private async zip(): Promise<void> {
    const name = "photos.zip";
    const pick = (globalThis as { showSaveFilePicker?: (options: object) => Promise<FileSystemFileHandle> }).showSaveFilePicker;
    await this.work(async (signal, onProgress) => {
      const { review } = this.source;
      if (!pick) {
        const sink = new BlobSink();
        const sorted = await zipInto(sink, review, this.plan(), { signal, onProgress });
        download(name, sink.blob());
        return sorted;
      }
      const handle = await pick({ suggestedName: name, types: [{ description: "ZIP", accept: { "application/zip": [".zip"] } }] });
      const file = await handle.createWritable();
      try {
        const sorted = await zipInto({ write: (part) => file.write(part) }, review, this.plan(), { signal, onProgress });
        await file.close();
        return sorted;
      } catch (e) {
        await file.abort().catch(() => undefined);
        throw e;
      }
    });
  }

  /** Runs a long export with progress and a button to end it. */
  private async work(run: (signal: AbortSignal, onProgress: (done: number, all: number) => void) => Promise<Sorted[] | undefined>): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    this.bar.value = 0;
    this.bar.hidden = this.cancelRow.hidden = false;
    this.choices.hidden = true;
    this.cancel.focus();
    const ids = this.ids();
    const absent = ids.length - this.here(ids).length;
    await this.busy(async () => {
      const sorted = await run(abort.signal, (done, all) => {
        this.bar.value = done / all;
        this.say(strings.exporter.working(done, all));
      });
      if (sorted) {
        this.showResult(sorted, absent, abort.signal.aborted);
      }
    });
    this.bar.hidden = this.cancelRow.hidden = true;
    this.choices.hidden = false;
    this.abort = undefined;
    this.offer();
    this.choices.querySelector("button")?.focus();
  }

  /** Keeps the panel open and its choices out of reach while f runs, and says what goes wrong. */
  private async busy(f: () => Promise<void>): Promise<void> {
    this.choices.inert = this.scopes.inert = this.grouping.disabled = true;
    this.sheet.hold(true);
    this.say("");
    try {
      await f();
    } catch (e) {
      const { name, message } = e as Error;
      // A dialog of the browser that was closed needs no word.
      this.say(name === "AbortError" ? (this.abort?.signal.aborted ? strings.exporter.cancelled : "") : strings.exporter.failed(message));
    } finally {
      this.choices.inert = this.scopes.inert = this.grouping.disabled = false;
      this.sheet.hold(false);
    }
  }

  private showResult(sorted: readonly Sorted[], absent: number, aborted: boolean): void {
    const wrong = sorted.filter((s) => s.problem);
    const written = sorted.filter((s) => s.result !== "failed").length;
    this.problems.replaceChildren(...wrong.map((s) => make("li", {}, `${s.folder}/${s.name}: ${s.problem}`)));
    this.status.textContent = aborted ? strings.exporter.cancelled : [strings.exporter.done(written, wrong.length), absent > 0 ? strings.exporter.absent(absent) : ""].filter(Boolean).join(" ");
  }

  private say(text: string): void {
    this.status.textContent = text;
    this.problems.replaceChildren();
  }
}
