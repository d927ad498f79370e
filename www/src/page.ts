/** The page: wires the review, the engine and the views together. */

import animals from "../../weights/labels/animals.json";
import food from "../../weights/labels/food.json";
import type { Ecor, Pack } from "./api";
import { cachePrefix } from "./assets";
import { button, download, make, throttle } from "./dom";
import { load } from "./ecor";
import { Editor } from "./editor";
import { counts, formatPack, parsePack } from "./labels";
import { keepOffline } from "./offline";
import { Intake } from "./review/checks";
import { fromBlob, fromFiles, fromFolder, fromTransfer, type Watch } from "./review/intake";
import { Review } from "./review/review";
import { Selection } from "./review/selection";
import { Session } from "./review/session";
import { databaseName } from "./review/store";
import type { Item, Method, NewItem, Wiped } from "./review/types";
import { View } from "./review/view";
import { deleteEverything } from "./review/wipe";
import * as strings from "./strings";
import { Camera } from "./ui/camera";
import { Decide, decisionKeys } from "./ui/decide";
import { Detail } from "./ui/detail";
import { Exporter } from "./ui/exporter";
import { Filters } from "./ui/filters";
import { Grid, type Reach } from "./ui/grid";
import { Help } from "./ui/help";
import { listenToKeys } from "./ui/keys";
import { Layout } from "./ui/layout";
import { Messages } from "./ui/messages";
import { ModelPanel } from "./ui/model";
import { PrivacyPanel } from "./ui/privacy";
import { Queue } from "./ui/queue";
import { mayBeTriedAgain, Runner, type Finished } from "./ui/runner";
import { Sheet } from "./ui/sheet";
import { Thumbnails } from "./ui/thumbnails";
import { PhotoTile } from "./ui/tile";

const base = new URL(".", document.baseURI).href;
/** Screens on which the photo in hand stands beside the grid. */
const wide = matchMedia("(min-width: 64rem)");

const ending = new AbortController(); // aborted where everything was deleted: the page does nothing more
// The model is loaded while the page is made and what was kept is read.
const loading = load({
  base,
  signal: ending.signal,
  keepsLast: () => !navigator.serviceWorker?.controller, // the server may be out of reach when another is wanted
  onProgress: ({ phase, done, total }) => layout.showLoading(strings.loading.phases[phase], total > 0 ? done / total : 0),
});
loading.catch(() => undefined); // told in begin, also where opening the session takes longer

const review = new Review();
const view = new View(review);
const selection = new Selection();
const intake = new Intake(review);
const thumbnails = new Thumbnails(review);
const messages = new Messages(() => focusPhotos());
/** Resolves when the review of an earlier visit is there; nothing is added before. */
let opened: () => void;
const open = new Promise<void>((resolve) => (opened = resolve));
let ecor: Ecor | undefined;
let shipped: Pack | undefined; // labels that came with the page
let session: Session | undefined;
let runner: Runner | undefined;
let active = 0; // id of the photo in hand, 0 where there is none
let place = 0; // where it stands in the view
let answerModel: (() => void) | undefined; // takes away the question which model to use

const help = new Help(() => session?.setSettings({ advances: help.advances, singleKeys: help.singleKeys }));
const camera = new Camera((file) => void bringLoose([file]));
const model = new ModelPanel(useModel);
const privacy = new PrivacyPanel({
  onKeepImages: (keep) => void session?.keepImages(keep),
  deleteAll,
});
const queue = new Queue({
  onPause: (pause) => (pause ? runner?.pause() : runner?.resume()),
  onCancel: () => cancel(),
});
const filters = new Filters(review, view, useMethod, () => focusPhotos());
const decide = new Decide(review, {
  targets,
  categories: () => editor.categories,
  onDecided,
  onUndone,
  onClear: () => {
    selection.clear();
    focusPhotos();
  },
  onNothing: () => messages.tell(strings.decide.noneChosen),
  onRetry: () => {
    runner?.retry([...selection.ids]);
    focusPhotos();
  },
  onRemove: () => askToRemove([...selection.ids]),
});
const editor = new Editor(useLabels, [
  { name: animals.name, pack: () => parsePack(JSON.stringify(animals)) },
  { name: food.name, pack: () => parsePack(JSON.stringify(food)) },
]);
const exporter = new Exporter({
  review,
  ids: exportIds,
  about: exportAbout,
  folders: () => session?.folders ?? [],
  onMoved: (folder) => void session?.addFolder(folder),
});
const layout = new Layout(
  {
    onFiles: (files) => void bring(fromFiles(files)),
    onFolder: openFolder,
    onCamera: () => void camera.open(),
    onLabels: () => editor.open(),
    onModel: () => model.open(),
    onExport: () => exporter.open(),
    onHelp: () => help.open(),
    onStartOver: () => {
      startOverHint.textContent = strings.session.startOverHint(review.size);
      startOver.open();
    },
  },
  { privacy: privacy.button, queue: queue.element, message: messages.element, filters: filters.element, decide: decide.element, spoken: messages.spoken },
);
const detail = new Detail(review, thumbnails, {
  runner: () => (runner?.ready ? runner : undefined),
  onStep: step,
  onBig: showBig,
  onMethod: useMethod,
  onRetry: (id) => runner?.retry([id]),
  onRemove: (id) => askToRemove([id]),
  buttons: () => [
    ...decide.decisionButtons((d) => [strings.decide[d]]),
    button({ onclick: () => decide.openTags() }, strings.decide.tag),
    button({ onclick: () => decide.openCorrection() }, strings.decide.correct),
  ],
});
const bigHolder = make("div");
const big = new Sheet("big", strings.detail.label, [bigHolder], () => layout.side.append(detail.element));
const startOverHint = make("p");
const startOver = new Sheet("start-over-sheet", strings.head.startOver, [
  startOverHint,
  make("div", { className: "row" }, button({ onclick: () => startOver.close() }, strings.common.cancel), button({ className: "danger", id: "remove-all", onclick: removeAll }, strings.session.startOverNow)),
]);
const removeHint = make("p");
let toRemove: readonly number[] = []; // while that is asked
const removal = new Sheet("remove-sheet", strings.decide.removeTitle, [
  removeHint,
  make("div", { className: "row" }, button({ onclick: () => removal.close() }, strings.common.cancel), button({ className: "danger", id: "remove-now", onclick: removeNow }, strings.decide.removeTitle)),
]);
const grid = new Grid(layout.grid, {
  makeTile: () =>
    new PhotoTile({
      review,
      thumbnails,
      itemAt: (index) => view.at(index),
      isSelected: (id) => selection.has(id),
      firstSight: (id) => runner?.firstSight(id),
      count: () => view.length,
    }),
  covered: () => decide.element.getBoundingClientRect().height,
  onMove: move,
  onClick: () => {
    if (!wide.matches) {
      showBig();
    }
  },
  onOpen: (index) => {
    move(index, "keep");
    showBig();
  },
});

layout.side.append(detail.element);
layout.nothing.append(make("p", {}, strings.filters.nothing), make("div", { className: "row" }, button({ onclick: () => filters.clear() }, strings.filters.clear)));
const showQueueSoon = throttle(showQueue, 200);
const showGridSoon = throttle(showGrid, 60);
view.on(showGridSoon);
selection.on(showGridSoon);
review.on("wanted", showStage);
review.on("items", (ids) => {
  if (ids.has(active)) {
    detail.show(review.get(active));
  }
  showStage();
});
showGrid();
showStage();
listen();
const beginning = begin().catch((e: Error) => {
  fail(strings.problems.start(e.message));
  opened();
});

async function begin(): Promise<void> {
  const { signal } = ending;
  session = await Session.open(databaseName(base), review, (problem) => {
    const text = strings.session.problem(problem);
    privacy.showStorage(text);
    messages.problem(text);
    if (problem === "images") {
      privacy.keepsImages = false;
    }
  });
  opened();
  const { settings, keepImages, labels, shipped: shippedLabels } = session.info;
  help.advances = settings["advances"] !== false;
  help.singleKeys = settings["singleKeys"] !== false;
  privacy.keepsImages = keepImages;
  tellMissing();
  takeInHand(view.at(0), 0);
  privacy.showOffline(strings.offline.preparing);
  try {
    ecor = await loading;
  } catch (e) {
    return signal.aborted ? undefined : fail(strings.loading.failed((e as Error).message));
  }
  shipped = ecor.labels;
  if (!shippedLabels && labels) {
    try {
      await ecor.setLabels(parsePack(labels));
    } catch (e) {
      if (!signal.aborted) {
        const refused = new Blob([labels], { type: "application/json" });
        messages.problem(strings.editor.notTaken((e as Error).message), { name: strings.editor.export, run: () => download(`${strings.editor.custom}.json`, refused) });
      }
    }
  }
  if (signal.aborted) {
    return ecor.dispose();
  }
  runner = new Runner(ecor, review, session, thumbnails, {
    onProgress: showQueueSoon,
    onFinished: finished,
    onFirst: (id) => {
      grid.update(view.indexOf(id));
      if (id === active) {
        detail.refresh();
      }
    },
    onStopped: () => messages.problem(strings.problems.stopped),
  });
  const file = session.awaitedModel(ecor.model.sha256);
  if (file) {
    answerModel = messages.ask(strings.session.otherModel(file), [
      { name: strings.session.openModel, run: () => model.choose() },
      { name: strings.session.shippedModel, run: () => useModel("") },
    ]);
  } else {
    useModel("");
  }
  layout.showModel("ready", strings.loading.ready);
  editor.start(shipped, ecor.labels, ecor.model.templates);
  model.start(ecor);
  void keepForOffline();
}

/** Says that the page cannot work, and why. */
function fail(text: string): void {
  layout.showModel("failed", text);
  editor.fail(text);
  model.fail(text);
}

/** Scores by the model that is loaded now, from a file of this name, "" for the shipped one. */
function useModel(file: string): void {
  if (!ecor || !runner) {
    return;
  }
  const chosen = answerModel !== undefined && file === "";
  answerModel?.();
  answerModel = undefined;
  layout.showNotes(ecor.notes.map((n) => strings.notes[n]));
  editor.showOwn(ecor.model.templates);
  if (runner.ready) {
    runner.startAgain(file);
    tellMissing(); // they have no answer by this model
    return;
  }
  const dropped = runner.start(file, ecor.labels === shipped);
  if (dropped > 0 && !chosen) {
    messages.problem(strings.session.answersDropped(dropped));
  }
  detail.refresh();
}

async function keepForOffline(): Promise<void> {
  await keepOffline(
    (done, total) => privacy.showOffline(strings.offline.installing(done, total)),
    (state) => {
      privacy.showOffline(strings.offline[state]);
      if (state === "update") {
        messages.tell(strings.offline.update);
      }
    },
  );
}

/** Brings pictures in that are no files anywhere. */
async function bringLoose(pictures: readonly File[]): Promise<void> {
  await bring(pictures.map((file) => fromBlob(file, file.name)));
  if (session && !session.info.keepImages && session.works) {
    messages.problem(strings.intake.loose(pictures.length), {
      name: strings.intake.keep,
      run: () => {
        privacy.keepsImages = true;
        void session?.keepImages(true);
      },
    });
  }
}

/** Brings files into the review. */
async function bring(files: Iterable<NewItem> | AsyncIterable<NewItem>): Promise<void> {
  try {
    await open;
    if (ending.signal.aborted) {
      return;
    }
    if (!session) {
      messages.problem(strings.problems.notStarted);
      return;
    }
    const empty = review.size === 0;
    const sum = await intake.bring(files, ({ added }) => {
      if (added.length > 200) {
        messages.tell(strings.intake.looking(added.length));
      }
    });
    if (!sum) {
      return; // it was cancelled
    }
    const { added, attached, known } = sum;
    if (added.length + attached.length + known.length === 0) {
      messages.tell(strings.intake.nothing);
    } else {
      messages.tell([strings.intake.added(added.length), strings.intake.attached(attached.length), strings.intake.known(known.length)].filter(Boolean).join(" "));
    }
    if (empty && view.length > 0) {
      move(0, "only");
      layout.grid.focus({ preventScroll: true });
    }
  } catch (e) {
    messages.problem(strings.intake.failed((e as Error).message));
  }
}

const watch: Watch = { onFolder: (folder) => void session?.addFolder(folder) };

/** Opens a folder where the browser has a dialog that gives the right to move files, too. */
function openFolder(): boolean {
  const pick = (globalThis as { showDirectoryPicker?: (options: object) => Promise<FileSystemDirectoryHandle> }).showDirectoryPicker;
  if (!pick) {
    return false;
  }
  pick({ id: "ecor-photos", mode: "read" }).then(
    (folder) => {
      void session?.addFolder(folder);
      return bring(fromFolder(folder, watch));
    },
    (e: Error) => {
      if (e.name !== "AbortError") {
        messages.problem(strings.intake.failed(e.message));
      }
    },
  );
  return true;
}

/** Says that photos of an earlier visit are not at hand, and how to get them. */
function tellMissing(): void {
  const missing = [...review.items()].filter((item) => !item.attached).length;
  if (missing === 0) {
    return;
  }
  const again = async () => {
    for (const folder of (await session?.openAgain(true)) ?? []) {
      await bring(fromFolder(folder, watch));
    }
    tellMissing(); // of folders that may not be read, or that are not where they were
  };
  const action = (session?.folders.length ?? 0) > 0 ? { name: strings.session.folderAgain, run: () => void again() } : { name: strings.welcome.photos, run: () => layout.chooseFiles() };
  messages.tell(strings.session.missing(missing), action);
}

/** Goes to an item of the view. */
function move(index: number, reach: Reach): void {
  const item = view.at(index);
  if (!item) {
    return;
  }
  if (reach === "only") {
    selection.only(item.id);
  } else if (reach === "toggle") {
    selection.toggle(item.id);
  } else if (reach === "range") {
    selection.range(view, item.id);
  }
  takeInHand(item, index);
}

function takeInHand(item: Item | undefined, index: number): void {
  active = item?.id ?? 0;
  place = index;
  runner?.prefer(active);
  grid.goTo(item ? index : -1);
  detail.show(item);
}

function step(by: 1 | -1): void {
  const at = view.indexOf(active);
  const index = Math.min(view.length - 1, Math.max(0, (at < 0 ? place : at) + (at < 0 ? 0 : by)));
  move(index, "only");
}

function showBig(): void {
  if (active) {
    bigHolder.append(detail.element);
    big.open();
    detail.element.focus({ preventScroll: true });
  }
}

/** Photos that a decision is about: the one shown large, else those chosen, else the one in hand where it can be seen in the grid. */
function targets(): readonly number[] {
  if (!big.isOpen && selection.ids.size > 0) {
    return [...selection.ids];
  }
  return review.get(active) && (big.isOpen || view.indexOf(active) >= 0) ? [active] : [];
}

function onDecided(what: string, ids: readonly number[], goOn: boolean): void {
  messages.say(strings.decide.said(what, ids.length));
  if (!review.get(active) || view.indexOf(active) < 0) {
    // The filter does not let it through any more: the next one has taken its place.
    move(Math.min(place, view.length - 1), "only");
  } else if (goOn && help.advances && ids.length === 1 && view.indexOf(active) < view.length - 1) {
    step(1);
  }
}

function onUndone(ids: readonly number[], again: boolean): void {
  messages.say(again ? strings.decide.redone(ids.length) : strings.decide.undone(ids.length));
  const index = ids.length > 0 ? view.indexOf(ids[0]!) : -1;
  if (index >= 0) {
    move(index, "only");
  }
}

function useMethod(method: Method): void {
  review.useMethod(method);
}

async function useLabels(pack: Pack) {
  if (!runner || !shipped) {
    throw new Error(strings.loading.starting);
  }
  return runner.useLabels(pack, formatPack(pack) === formatPack(shipped));
}

function cancel(): void {
  const listing = intake.stop();
  const ids = runner?.cancel() ?? [];
  messages.tell(strings.queue.cancelled(ids.length, listing), { name: strings.queue.again, run: () => runner?.retry(ids) });
  focusPhotos();
}

function finished({ photos, failed, seconds, cancelled }: Finished): void {
  showStage();
  if (photos > 0 && !cancelled) {
    messages.tell(strings.queue.finished(photos, seconds, failed));
  } else if (!cancelled) {
    messages.say(strings.queue.scored);
  }
}

function askToRemove(ids: readonly number[]): void {
  toRemove = ids;
  removeHint.textContent = strings.decide.removeHint(ids.length);
  removal.open();
}

function removeNow(): void {
  const ids = toRemove;
  removal.close();
  review.remove(ids);
  move(Math.min(place, view.length - 1), "only");
  if (view.length === 0) {
    big.close();
  }
  (big.isOpen ? detail.element : layout.grid).focus({ preventScroll: true });
  messages.say(strings.decide.removed(ids.length));
}

function removeAll(): void {
  intake.stop();
  runner?.cancel();
  review.clear();
  session?.forgetFolders();
  thumbnails.clear();
  selection.clear();
  takeInHand(undefined, 0);
  messages.clear();
  startOver.close();
  focusPhotos();
}

/** Gives the focus to the photos, or to the button that brings some in, where what had it is gone. */
function focusPhotos(): void {
  (review.size > 0 ? layout.grid : layout.choose).focus({ preventScroll: true });
}

function isBusy(): boolean {
  return (runner?.busy ?? false) || review.toClassify.size > 0 || review.toScore.size > 0;
}

/** Draws what is in view, and says that all is done only when it can be seen and nothing above will give way any more. */
function showGrid(): void {
  selection.keep(view);
  const index = view.indexOf(active);
  if (index >= 0) {
    place = index;
  }
  grid.setItems(view.length, index);
  layout.nothing.hidden = view.length > 0 || review.size === 0;
  decide.showChosen(selection.ids.size, [...selection.ids].filter(isToTryAgain).length);
  const busy = isBusy();
  if (!busy) {
    showQueue();
    filters.showCount();
  }
  setState("work", busy ? "busy" : "idle");
}

function isToTryAgain(id: number): boolean {
  const item = review.get(id);
  return item !== undefined && mayBeTriedAgain(item);
}

function showStage(): void {
  setState("photos", review.size > 0 ? "some" : "none");
  if (isBusy()) {
    setState("work", "busy");
  }
  showGridSoon();
  showQueueSoon();
}

/** Sets what styles and tests read, where it is not so yet: browsers look for styles again after every change. */
function setState(name: "photos" | "work", value: string): void {
  if (document.body.dataset[name] !== value) {
    document.body.dataset[name] = value;
  }
}

function showQueue(): void {
  queue.show(runner?.busy ? runner.progress() : undefined);
}

function exportIds(scope: "all" | "shown" | "chosen"): number[] {
  switch (scope) {
    case "all":
      return [...review.items()].map((item) => item.id);
    case "shown":
      return view.ids();
    case "chosen":
      return view.ids().filter((id) => selection.has(id));
  }
}

function exportAbout() {
  const { model: before = "", modelFile = "" } = session?.info ?? {};
  // Until photos are scored by the model that is loaded, answers are an earlier visit's.
  const { name, sha256, scheme } = runner?.ready && ecor ? ecor.model : { name: modelFile, sha256: before, scheme: "" };
  return { model: { name, sha256, scheme }, labels: { name: ecor?.labels.name ?? "", ...counts(ecor?.labels.categories ?? []) } };
}

/** Ends all work, loading included, and deletes what this browser keeps. */
async function deleteAll(): Promise<Wiped> {
  ending.abort();
  intake.stop();
  runner?.cancel();
  await ecor?.dispose();
  await beginning;
  await session?.close(true);
  return deleteEverything({ base, cachePrefix: cachePrefix(base) });
}

function listen(): void {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (event.clipboardData && files.length > 0) {
      event.preventDefault();
      // Pictures that are no files all come under this name.
      if (files.every((file) => file.name === "image.png")) {
        void bringLoose(files.map((file) => new File([file], strings.intake.pasted(new Date()), { type: file.type })));
      } else {
        void bring(fromTransfer(event.clipboardData, watch));
      }
    }
  });
  // The whole window takes files, so that one dropped beside the zone does not replace the page.
  let depth = 0;
  const hover = (change: number) => {
    depth = Math.max(0, depth + change);
    layout.showDropping(depth > 0);
  };
  window.addEventListener("dragenter", () => hover(1));
  window.addEventListener("dragleave", () => hover(-1));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(-depth);
    if (event.dataTransfer) {
      void bring(fromTransfer(event.dataTransfer, watch));
    }
  });
  window.addEventListener("unhandledrejection", ({ reason }) => {
    if ((reason as Error | null)?.name !== "AbortError") {
      messages.problem(strings.problems.unexpected(reason instanceof Error ? reason.message : String(reason)));
    }
  });
  document.addEventListener("visibilitychange", () => void session?.flush());
  listenToKeys({
    letters: () => help.singleKeys,
    actsUnder: (panel) => panel.id === "big",
    onLetter,
    onUndo: () => decide.undo(),
    onRedo: () => decide.redo(),
    onAll: () => selection.all(view),
    onEscape: () => selection.clear(),
    onStep: step,
  });
}

function pauseOrGoOn(): void {
  if (runner?.progress().paused) {
    runner.resume();
  } else if (!runner?.pause()) {
    messages.tell(strings.queue.nothing);
  }
}

function onLetter(letter: string): boolean {
  const decision = decisionKeys[letter];
  if (decision) {
    decide.decide(decision);
    return true;
  }
  const actions: Record<string, () => void> = {
    t: () => decide.openTags(),
    c: () => decide.openCorrection(),
    "/": () => filters.search.focus(),
    p: pauseOrGoOn,
    "?": () => help.open(),
  };
  actions[letter]?.();
  return letter in actions;
}
