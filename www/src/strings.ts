/** Every text of the page that is not in index.html. */

import type { Note } from "./protocol";
import type { Method, Phase } from "./wire";

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A probability for people, such as "87 %", "0.4 %" or "< 0.1 %". */
export function percent(p: number): string {
  const v = 100 * p;
  if (v > 0 && v < 0.1) {
    return "< 0.1 %";
  }
  if (v > 99.9 && v < 100) {
    return "> 99.9 %";
  }
  return `${v >= 10 || v === 0 ? v.toFixed(0) : v.toFixed(1)} %`;
}

export function count(n: number, one: string, many = one + "s"): string {
  return `${number.format(n)} ${n === 1 ? one : many}`;
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

export function milliseconds(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

/** "because there is black and white stripes, a short mane" */
export function because(rationales: readonly string[]): string {
  return `because there is ${rationales.join(", ")}`;
}

export const loading = {
  install: (done: number, total: number) => `Getting the model, once: ${megabytes(done)} of ${megabytes(total)} MB`,
  weights: "Reading the model…",
  ready: "The model is ready.",
  failed: (reason: string) => `The model could not be loaded: ${reason}`,
};

export const offline = {
  preparing: "Preparing for offline use…",
  ready: "Ready offline",
  update: "Ready offline. A new version waits until every ecor tab is closed.",
  unavailable: "Works while this tab is open; this browser or address does not allow keeping the page for offline use.",
};

export const notes: Record<Note, string> = {
  "embeddings do not fit": "The prepared label embeddings belong to other weights, so prompts are encoded here: the first photo takes longer.",
  "pixels are altered": "This browser changes pixels that a page reads back, to make tracking harder. Answers can differ slightly.",
};

export const methodNames: Record<Method, string> = {
  ecor: "ECOR",
  clip: "CLIP",
  independent: "Independent",
  inverted: "Inverted",
  joint: "Joint",
};

export const methodHints: Record<Method, string> = {
  ecor: "First the reasons that fit the photo, then the category given each reason.",
  clip: "Category names alone, without reasons.",
  independent: "Reasons and categories scored apart from each other.",
  inverted: "First the category, then the reasons given the category. Reasons are those that fit the photo best.",
  joint: "Every pair of category and reason at once. Reasons are those that fit the photo best.",
};

export const photo = {
  waiting: "Waiting",
  decoding: "Opening the photo…",
  phase: (phase: Phase, done: number, total: number): string => {
    switch (phase) {
      case "image":
        return "Looking at the photo…";
      case "stage1":
        return total > 1 ? `Reading prompts, ${done} of ${total}…` : "Comparing with the prompts…";
      case "stage2":
        return total > 1 ? `Weighing reasons, ${done} of ${total}…` : "Weighing reasons…";
      case "done":
        return "Done";
    }
  },
  atFirstSight: (category: string, then: string) => `At first sight: ${category}. ${then}`,
  cancelled: "Cancelled before it was done.",
  retry: "Try again",
  remove: (name: string) => `Remove ${name}`,
  unsure: "perhaps ",
  noReasons: "CLIP compares category names only and gives no reasons.",
  details: "Details",
  categories: "Categories",
  reasons: (category: string) => `Reasons for ${category}`,
  reasonsHint: "Share of the answer for each pair of category and reason.",
  covered: (kept: number, uncovered: number) =>
    uncovered > 0
      ? `${count(kept, "reason")} looked at closely, with ${percent(1 - uncovered)} of the evidence. Every value here is a share of that part; the rest lies with other reasons.`
      : `${count(kept, "reason")} looked at closely; none was left out.`,
  coveredAll: "Nothing was left out.",
  timings: {
    decode: "open",
    resize: "resize",
    image: "image",
    stage1: "reasons",
    stage2: "categories given reasons",
  },
  alt: (name: string) => `Photo ${name}`,
  announce: (name: string, category: string, p: number, reasons: string) => `${name}: ${category}, ${percent(p)}${reasons && ", " + reasons}`,
  announceError: (name: string, reason: string) => `${name}: ${reason}`,
};

export const list = {
  summary: (done: number, all: number) => (done === all ? count(all, "photo") : `${done} of ${count(all, "photo")}`),
  noFiles: "No files there. Drop image files, or choose some.",
  restarted: "The model ran out of memory or stopped, and was started again. The photo that it stopped at is marked.",
};

export const editor = {
  counts: (categories: number, rationales: number) => `${count(categories, "category", "categories")}, ${count(rationales, "reason")}`,
  changed: "Changed, not applied yet.",
  shipped: "As shipped.",
  applied: "Applied.",
  applying: "Applying…",
  nothingFound: "Nothing found.",
  newName: "new category",
  problems: (n: number) => `${count(n, "problem")} to solve before this can be applied.`,
  imported: (name: string) => `Imported ${name || "the label pack"}. Apply to use it.`,
  importFailed: (reason: string) => `The file was not imported. ${reason}`,
  refused: (reason: string) => `The module refused the labels: ${reason}`,
  warnings: (list: readonly string[]) => `Applied, with ${count(list.length, "remark")}: ${list.slice(0, 3).join("; ")}${list.length > 3 ? "…" : ""}`,
  custom: "custom",
};

export const about = (name: string, parameters: number, scheme: string, kernel: string, license: string, version: string) =>
  `Model ${name}, ${(parameters / 1e6).toFixed(1)} million parameters, ${scheme}, ${kernel}; licence: ${license}. Page ${version}.`;
