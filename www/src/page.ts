/** The page: wires the drop zone, the cards, the settings and the worker together. */

import { announcement, Card } from "./card";
import { Client, RequestError, type Loaded, type Watch } from "./client";
import type { Classified, Timings } from "./api";
import { byId, make } from "./dom";
import { Editor } from "./editor";
import type { Pack } from "./labels";
import { keepOffline, type OfflineState } from "./offline";
import * as strings from "./strings";
import { methods, type Method } from "./wire";

interface Entry {
  file: File;
  card: Card;
  state: "waiting" | "done" | "failed";
  embedding: Float32Array | undefined; // so that nothing of the image is done again
}

const client = new Client();
const editor = new Editor(useLabels);
const entries: Entry[] = [];
/** Methods that read the prompts of category and rationale together. */
const slowMethods: readonly Method[] = ["ecor", "inverted", "joint"];
let method: Method = "ecor";
let round = 0; // counts changes of method and labels, after which answers are out of date
let loaded = false;
let working = false;
let announced = 0;

const live = byId("live");
const photos = byId<HTMLUListElement>("photos");
const picker = byId<HTMLInputElement>("picker");
const dropZone = byId("drop");
const summary = byId("summary");
const cancelButton = byId<HTMLButtonElement>("cancel");
const clearButton = byId<HTMLButtonElement>("clear");
const bar = byId<HTMLProgressElement>("loading-bar");
const loadingText = byId("loading-text");
const message = byId("message");

void begin();

async function begin(): Promise<void> {
  listen();
  showMethods();
  byId("offline").textContent = strings.offline.preparing;
  try {
    const result = await client.load({
      onLoading: (done, total) => showLoading(strings.loading.weights, done / total),
    });
    showLoaded(result);
    await keepOffline(() => undefined, showOffline);
  } catch (e) {
    document.body.dataset["model"] = "failed";
    bar.hidden = true;
    loadingText.textContent = strings.loading.failed((e as Error).message);
  }
}

function showLoading(text: string, part: number): void {
  loadingText.textContent = text;
  bar.value = part;
}

function showOffline(state: OfflineState): void {
  const pill = byId("offline");
  pill.textContent = strings.offline[state];
  pill.dataset["state"] = state;
}

function showLoaded({ info, pack, version, notes }: Loaded): void {
  loaded = true;
  document.body.dataset["model"] = "ready";
  bar.hidden = true;
  loadingText.textContent = strings.loading.ready;
  byId("about").textContent = strings.about(info.name, info.parameters, info.scheme, info.kernel, info.license, version);
  byId("notes").replaceChildren(...notes.map((n) => make("p", { className: "hint" }, strings.notes[n])));
  editor.start(pack);
  void work();
}

function showMethods(): void {
  const hint = byId("method-hint");
  hint.textContent = strings.methodHints[method];
  byId("methods").append(
    ...methods.map((m) =>
      make(
        "label",
        {},
        make("input", {
          type: "radio",
          name: "method",
          value: m,
          checked: m === method,
          onchange: () => {
            method = m;
            hint.textContent = strings.methodHints[m];
            scoreAgain();
          },
        }),
        make("span", {}, strings.methodNames[m]),
      ),
    ),
  );
}

function listen(): void {
  byId("choose").onclick = () => picker.click();
  picker.onchange = () => {
    add([...(picker.files ?? [])]);
    picker.value = "";
  };
  cancelButton.onclick = cancel;
  clearButton.onclick = clear;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && working) {
      cancel();
    }
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) {
      event.preventDefault();
      add(files);
    }
  });
  // The whole window takes files, so that one dropped beside the zone does not replace the page.
  let depth = 0;
  const hover = (change: number) => {
    depth = Math.max(0, depth + change);
    dropZone.classList.toggle("over", depth > 0);
  };
  window.addEventListener("dragenter", () => hover(1));
  window.addEventListener("dragleave", () => hover(-1));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(-depth);
    add([...(event.dataTransfer?.files ?? [])]);
  });
}

function add(files: File[]): void {
  message.textContent = files.length === 0 ? strings.list.noFiles : "";
  for (const file of files) {
    const card = new Card(file.name, () => remove(entry));
    const entry: Entry = { file, card, state: "waiting", embedding: undefined };
    entries.push(entry);
    photos.append(card.element);
  }
  showSummary();
  void work();
}

/** Runs waiting photos one after another. */
async function work(): Promise<void> {
  if (working || !loaded) {
    return;
  }
  working = true;
  showSummary();
  for (let entry = next(); entry; entry = next()) {
    await classify(entry);
    showSummary();
  }
  working = false;
  showSummary();
}

function next(): Entry | undefined {
  return entries.find((e) => e.state === "waiting");
}

async function classify(entry: Entry): Promise<void> {
  const { card } = entry;
  const watch: Watch = {
    onDecoded: (photo) => card.showPhoto(photo),
    onProgress: (phase, done, total) => card.showBusy(strings.photo.phase(phase, done, total)),
  };
  const asked = round;
  entry.state = "done";
  if (!entry.embedding) {
    card.showBusy(strings.photo.decoding);
  }
  try {
    const result = await answer(entry, watch);
    entry.embedding = result.answer.imageEmbedding;
    card.showAnswer(result);
    if (asked === round) {
      announce(announcement(card.name, result));
    }
  } catch (e) {
    const superseded = asked !== round && e instanceof RequestError && e.kind === "cancelled";
    if (!superseded && entries.includes(entry)) {
      return fail(entry, e);
    }
  }
  if (asked !== round) {
    retry(entry);
  }
}

/** Classifies a photo; a new one is named at first sight where its reasons take longer. */
async function answer(entry: Entry, watch: Watch): Promise<Classified> {
  if (entry.embedding || !slowMethods.includes(method)) {
    return client.classify(entry.embedding ?? entry.file, method, watch);
  }
  const wanted = method;
  const first = await client.classify(entry.file, "clip", watch);
  const { imageEmbedding, categories } = first.answer;
  const guess = categories[0]?.category ?? "";
  const result = await client.classify(imageEmbedding, wanted, {
    onProgress: (phase, done, total) => entry.card.showBusy(strings.photo.atFirstSight(guess, strings.photo.phase(phase, done, total))),
  });
  return { ...result, timings: sum(first.timings, result.timings) };
}

function sum(a: Timings, b: Timings): Timings {
  return {
    wait: 0,
    decode: a.decode + b.decode,
    resize: a.resize + b.resize,
    image: a.image + b.image,
    stage1: a.stage1 + b.stage1,
    stage2: a.stage2 + b.stage2,
  };
}

function fail(entry: Entry, e: unknown): void {
  const kind = e instanceof RequestError ? e.kind : "refused";
  const reason = kind === "cancelled" ? strings.photo.cancelled : (e as Error).message;
  entry.state = "failed";
  entry.card.showError(reason, kind === "refused" && !entry.embedding ? undefined : () => retry(entry));
  announce(strings.photo.announceError(entry.card.name, reason));
  if (kind === "dead") {
    message.textContent = strings.list.restarted;
  }
}

function retry(entry: Entry): void {
  entry.state = "waiting";
  entry.card.showBusy(strings.photo.waiting);
  void work();
}

/** Scores every photo with the current method and labels, from its embedding where it has one. */
function scoreAgain(): void {
  round++;
  client.cancel();
  for (const entry of entries) {
    if (entry.embedding) {
      retry(entry);
    }
  }
}

async function useLabels(pack: Pack): Promise<string> {
  const setting = client.setLabels(pack); // in the queue before the photos
  scoreAgain();
  const info = await setting;
  return info.warnings.length > 0 ? strings.editor.warnings(info.warnings) : strings.editor.applied;
}

/** Ends the photo in progress and those that wait. */
function cancel(): void {
  for (const entry of entries) {
    if (entry.state === "waiting") {
      fail(entry, new RequestError("cancelled", strings.photo.cancelled));
    }
  }
  client.cancel();
  clearButton.focus();
  showSummary();
}

function remove(entry: Entry): void {
  const at = entries.indexOf(entry);
  entries.splice(at, 1);
  entry.card.dropPhoto();
  entry.card.element.remove();
  const neighbour = entries[at] ?? entries[at - 1];
  (neighbour?.card.element.querySelector<HTMLElement>(".remove") ?? byId("choose")).focus();
  showSummary();
}

function clear(): void {
  client.cancel();
  for (const entry of entries) {
    entry.card.dropPhoto();
  }
  entries.length = 0;
  photos.replaceChildren();
  message.textContent = "";
  byId("choose").focus();
  showSummary();
}

function showSummary(): void {
  const done = entries.filter((e) => e.state !== "waiting").length - (working ? 1 : 0);
  document.body.dataset["photos"] = entries.length > 0 ? "some" : "none";
  document.body.dataset["work"] = working ? "busy" : "idle";
  summary.textContent = entries.length > 0 ? strings.list.summary(Math.max(0, done), entries.length) : "";
  cancelButton.disabled = !working;
  clearButton.disabled = entries.length === 0;
}

/** Adds a line to what screen readers hear; the newest few are kept. */
function announce(text: string): void {
  live.append(make("p", {}, text));
  announced++;
  if (announced > 5) {
    live.firstElementChild?.remove();
  }
}
