/** The page's standing parts: head, welcome, review, foot. */

import { button, make } from "../dom";
import * as strings from "../strings";
import { hasCamera } from "./camera";
import { icon } from "./icons";

export interface LayoutEvents {
  onFiles(files: FileList): void;
  /** A folder is wanted; where the browser has no folder dialog of its own, its files come through onFiles. */
  onFolder(): boolean;
  onCamera(): void;
  onLabels(): void;
  onModel(): void;
  onExport(): void;
  onHelp(): void;
  onStartOver(): void;
}

const accepted = "image/jpeg,image/png,image/webp,image/gif,image/avif";

export class Layout {
  readonly grid = make("div", { id: "grid", role: "listbox", tabIndex: 0, "aria-multiselectable": "true", "aria-label": strings.list.label });
  readonly nothing = make("div", { id: "nothing", hidden: true });
  readonly side = make("aside", { className: "side", "aria-label": strings.detail.label, tabIndex: 0 });
  readonly choose = button({ id: "choose", className: "primary", onclick: () => this.chooseFiles() }, strings.welcome.photos);
  private picker = this.input("picker", false);
  private folderPicker = this.input("folder-picker", true);
  private readonly loading = make("section", { id: "loading", "aria-label": strings.loading.label });
  private readonly loadingBar = make("progress", { id: "loading-bar", max: 1, "aria-labelledby": "loading-text" });
  private readonly loadingText = make("p", { id: "loading-text", className: "hint", role: "status" }, strings.loading.starting);
  private readonly notes = make("div", { id: "notes" });
  private readonly dropping = make("div", { id: "dropping", hidden: true, "aria-hidden": "true" }, strings.welcome.dropping);

  constructor(
    private readonly events: LayoutEvents,
    parts: { privacy: HTMLElement; queue: HTMLElement; message: HTMLElement; filters: HTMLElement; decide: HTMLElement; spoken: HTMLElement },
  ) {
    this.loading.append(this.loadingBar, this.loadingText);
    const header = make("header", { className: "top" }, this.brand(), this.panels(), parts.privacy);
    const review = make(
      "section",
      { className: "review", "aria-label": strings.list.label },
      parts.queue,
      parts.filters,
      make("div", { className: "split" }, make("div", { className: "pane" }, this.grid, this.nothing), this.side),
      parts.decide,
    );
    const main = make("main", { id: "main" }, parts.message, this.loading, this.notes, this.welcome(), review, parts.spoken);
    const skip = make("a", {
      className: "skip",
      href: "#main",
      onclick: (event) => {
        event.preventDefault();
        (document.body.dataset["photos"] === "some" ? this.grid : this.choose).focus();
      },
    }, strings.head.skip);
    document.body.prepend(skip, header, main, make("footer", {}, make("p", {}, strings.model.disclaimer)));
    document.body.append(this.picker, this.folderPicker, this.dropping);
  }

  /** Says how far loading has come; what it has come to, see showModel, stays. */
  showLoading(text: string, part: number): void {
    if (document.body.dataset["model"] !== "loading") {
      return;
    }
    this.loadingText.textContent = text;
    this.loadingBar.value = part;
  }

  showModel(state: "ready" | "failed", text: string): void {
    document.body.dataset["model"] = state;
    this.loadingBar.hidden = true;
    this.loadingText.textContent = text;
    if (state === "failed") {
      this.loading.append(button({ className: "primary", onclick: () => location.reload() }, strings.problems.reload));
    }
  }

  showNotes(texts: readonly string[]): void {
    this.notes.replaceChildren(...texts.map((text) => make("p", { className: "hint" }, text)));
  }

  showDropping(on: boolean): void {
    this.dropping.hidden = !on;
  }

  chooseFiles(): void {
    this.picker.click();
  }

  chooseFolder(): void {
    if (!this.events.onFolder()) {
      this.folderPicker.click();
    }
  }

  /** A file input that nobody sees: buttons open its dialog. */
  private input(id: string, folder: boolean): HTMLInputElement {
    const accept = folder ? "" : accepted;
    return make("input", { type: "file", id, multiple: true, hidden: true, accept, webkitdirectory: folder, "aria-hidden": "true", onchange: () => this.take() });
  }

  /** Passes on what was chosen. An emptied input would empty the list, which is not read at once: new ones take their places. */
  private take(): void {
    const lists = [this.picker.files, this.folderPicker.files];
    const [picker, folderPicker] = [this.input("picker", false), this.input("folder-picker", true)];
    this.picker.replaceWith(picker);
    this.folderPicker.replaceWith(folderPicker);
    this.picker = picker;
    this.folderPicker = folderPicker;
    for (const files of lists) {
      if (files && files.length > 0) {
        this.events.onFiles(files);
      }
    }
  }

  private brand(): HTMLElement {
    return make(
      "div",
      { className: "brand" },
      make("img", { src: "icons/ecor.svg", alt: "", width: 40, height: 40 }),
      make("div", {}, make("h1", {}, strings.head.name), make("p", { className: "tagline" }, strings.head.tagline)),
    );
  }

  private panels(): HTMLElement {
    const { events } = this;
    const entry = (id: string, name: Parameters<typeof icon>[0], text: string, onclick: () => void, className = "quiet") =>
      button({ id, className, title: text, onclick }, icon(name), make("span", { className: "word" }, text));
    return make(
      "nav",
      { "aria-label": strings.head.actions },
      entry("add-photos", "add", strings.head.addPhotos, () => this.chooseFiles(), "adding"),
      entry("add-folder", "folder", strings.head.addFolder, () => this.chooseFolder(), "adding"),
      ...(hasCamera() ? [entry("add-camera", "camera", strings.head.camera, () => events.onCamera(), "adding")] : []),
      entry("export-open", "save", strings.head.export, () => events.onExport(), "adding"),
      entry("labels-open", "labels", strings.head.labels, () => events.onLabels()),
      entry("model-open", "model", strings.head.model, () => events.onModel()),
      entry("help-open", "keyboard", strings.head.keys, () => events.onHelp()),
      entry("start-over", "trash", strings.head.startOver, () => events.onStartOver(), "quiet adding"),
    );
  }

  private welcome(): HTMLElement {
    const row = make(
      "div",
      { className: "row" },
      this.choose,
      button({ id: "choose-folder", onclick: () => this.chooseFolder() }, icon("folder"), strings.welcome.folder),
    );
    if (hasCamera()) {
      row.append(button({ id: "use-camera", onclick: () => this.events.onCamera() }, icon("camera"), strings.welcome.camera));
    }
    row.append(make("span", { className: "paste" }, strings.welcome.paste));
    const drop = make("section", { id: "drop", "aria-labelledby": "drop-title" }, make("h2", { id: "drop-title" }, strings.welcome.title), row, make("p", { className: "hint" }, strings.welcome.kinds));
    const steps = strings.welcome.steps.map(([title, text]) => make("li", {}, make("h3", {}, title), make("p", {}, text)));
    return make("div", { className: "welcome" }, drop, make("section", { "aria-label": strings.welcome.stepsTitle }, make("ol", { className: "steps" }, ...steps)));
  }
}
