/** Every text that people may read and that is not in index.html: of the page and of its workers. */

import type { Note } from "./api";
import type { Decision, Deleted, SortKey, State, StoreProblem } from "./review/types";
import type { Method } from "./wire";

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
  label: "Loading",
  starting: "Getting ready…",
  phases: { module: "Starting the engine…", weights: "Reading the model…", labels: "Reading the categories…" },
  ready: "The model is ready.",
  failed: (reason: string) => `The model could not be loaded: ${reason}`,
};

export const offline = {
  preparing: "Preparing for offline use…",
  installing: (done: number, total: number) => `Preparing for offline use, ${megabytes(done)} of ${megabytes(total)} MB`,
  ready: "Ready offline",
  update: "Ready offline. A new version waits until every ecor tab is closed.",
  bypassed: "This time the page came from the server, past what is kept on this device, as a forced reload does. Load it normally to go on offline.",
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
  atFirstSight: "At first sight; its reasons are being weighed…",
  cancelled: "Cancelled before it was done.",
  unsure: "perhaps ",
  noReasons: "CLIP compares category names only and gives no reasons.",
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
};

export const list = {
  label: "Photos",
};

export const editor = {
  title: "Categories and reasons",
  hint: "What photos are compared with. Change anything; photos that were looked at are scored again, without being opened again.",
  start: "Start from",
  asItIs: "what is here",
  shippedName: "the shipped categories",
  search: "Search categories and reasons",
  list: "Categories",
  add: "Add a category",
  name: "Category",
  rationales: "Reasons, one a line: “because there is …”",
  remove: "Remove this category",
  templates: "Prompts",
  templatesHint: "Sentences that the model reads, one a line; several are averaged. {c} stands for the category, {r} for the reason. Left empty, the model's own are used.",
  templateNames: { category: "For a category", rationale: "For a reason", conditional: "For a category given a reason" },
  apply: "Apply",
  reset: "Reset",
  import: "Import…",
  export: "Export",
  counts: (categories: number, rationales: number) => `${count(categories, "category", "categories")}, ${count(rationales, "reason")}`,
  changed: "Changed, not applied yet.",
  shipped: "As shipped.",
  applied: "Applied.",
  applying: "Applying…",
  appliedWith: (warnings: number) => (warnings > 0 ? `Applied, with ${count(warnings, "remark")}:` : "Applied."),
  nothingFound: "Nothing found.",
  newName: "new category",
  problems: (n: number) => `${count(n, "problem")} to solve before this can be applied.`,
  imported: (name: string) => `Imported ${name || "the label pack"}. Apply to use it.`,
  importFailed: (reason: string) => `The file was not imported. ${reason}`,
  refused: (reason: string) => `The model refused the labels: ${reason}`,
  notTaken: (reason: string) => `The categories of this review could not be used, so the shipped ones are. Export yours to keep them. ${reason}`,
  custom: "custom",
};

export const common = {
  close: "Close",
  cancel: "Cancel",
  retry: "Try again",
};

export const head = {
  name: "ecor",
  tagline: "Names what is in a photo, and says why.",
  skip: "Skip to the photos",
  addPhotos: "Add photos",
  addFolder: "Add a folder",
  camera: "Take a photo",
  labels: "Categories",
  model: "Model",
  export: "Export",
  keys: "Keys",
  startOver: "Start anew",
  actions: "Panels",
};

export const welcome = {
  title: "Drop photos or folders here",
  photos: "Choose photos",
  folder: "Choose a folder",
  camera: "Use the camera",
  paste: "or paste one",
  kinds: "JPEG, PNG, WebP, GIF and AVIF. They are read by this page and go nowhere.",
  dropping: "Drop to add",
  stepsTitle: "How it works",
  steps: [
    ["It looks", "Each photo is compared with several hundred categories, by a model that runs inside this page."],
    ["It says why", "For every answer you see the reasons that speak for it, and how sure it is."],
    ["You decide", "Keep, flag, reject, tag or correct with single keys; take the result away as CSV, JSON or sorted folders."],
  ] as const,
};

export const intake = {
  looking: (n: number) => `Looking through folders, ${count(n, "photo")} so far…`,
  added: (n: number) => (n > 0 ? `${count(n, "file")} added.` : ""),
  attached: (n: number) => (n > 0 ? `${count(n, "photo")} of this review found again.` : ""),
  known: (n: number) => (n > 0 ? `${count(n, "file")} ${n === 1 ? "was" : "were"} here already.` : ""),
  nothing: "No photos there.",
  failed: (reason: string) => `The files could not be read: ${reason}`,
  pasted: (date: Date) => `pasted ${stamp(date)}.png`,
  loose: (n: number) => (n === 1 ? "This picture is nowhere else: a reload loses it unless images are kept in this browser." : "These pictures are nowhere else: a reload loses them unless images are kept in this browser."),
  keep: "Keep images",
};

/** A date for file names: sortable, in local time, safe on every system. */
function stamp(d: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}.${two(d.getMinutes())}.${two(d.getSeconds())}`;
}

export const camera = {
  title: "Take a photo",
  hint: "The picture stays in this page. The camera is switched off when this panel closes.",
  view: "What the camera sees",
  take: "Take it",
  fileName: (date: Date) => `camera ${stamp(date)}.jpg`,
  noPicture: "The camera gave no picture. Try again.",
  refused: (name: string) => {
    switch (name) {
      case "NotAllowedError":
        return "The camera may not be used. The browser's settings for this page can allow it.";
      case "NotFoundError":
      case "OverconstrainedError":
        return "This device has no camera that the browser can find.";
      case "NotReadableError":
        return "The camera is in use by another program.";
      default:
        return `The camera could not be started (${name}).`;
    }
  },
};

export const queue = {
  label: "Progress",
  text: (done: number, all: number, perSecond: number, secondsLeft: number) =>
    [`${number.format(done)} of ${count(all, "photo")}`, ...(perSecond > 0 ? [`${perSecond.toFixed(perSecond < 10 ? 1 : 0)} a second`, duration(secondsLeft)] : [])].join(" · "),
  scored: "Scored again.",
  scoring: (done: number, all: number) => `Scoring again: ${number.format(done)} of ${number.format(all)}`,
  paused: "Paused",
  pause: "Pause",
  resume: "Go on",
  cancel: "Cancel the rest",
  finished: (n: number, seconds: number, failed: number) =>
    `${count(n, "photo")} in ${clock(seconds)}.${failed > 0 ? ` ${count(failed, "file")} could not be read.` : ""}`,
  cancelled: (n: number, listing: boolean) => `${count(n, "photo")} cancelled.${listing ? " Files that were still being looked for were not added." : ""}`,
  nothing: "There is nothing to pause.",
  again: "Go on with them",
};

function clock(seconds: number): string {
  const s = Math.round(seconds);
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

function duration(seconds: number): string {
  if (seconds < 55) {
    return `about ${Math.max(5, 5 * Math.round(seconds / 5))} s left`;
  }
  return seconds < 3300 ? `about ${Math.round(seconds / 60)} min left` : `about ${(seconds / 3600).toFixed(1)} h left`;
}

export const filters = {
  label: "Which photos to show",
  open: "Filters",
  search: "Search",
  category: "Category",
  rationale: "Reason",
  decision: "Decision",
  state: "State",
  tag: "Tag",
  from: "From %",
  to: "to %",
  copies: "Copies",
  onlyCopies: "only",
  noCopies: "without",
  unsure: "Unsure",
  lead: "lead below %",
  unweighed: "or not weighed over %",
  unsureHint: (margin: number, uncovered: number) =>
    `Unsure: the best category leads by less than ${percent(margin)}, or more than ${percent(uncovered)} of the evidence was not weighed.`,
  sort: "Sort by",
  descending: "Largest first",
  method: "Scoring",
  any: "any",
  shown: (shown: number, all: number) => (shown === all ? count(all, "photo") : `${number.format(shown)} of ${count(all, "photo")}`),
  clear: "Show all",
  nothing: "No photo fits these filters.",
  option: (name: string, n: number) => `${name} (${number.format(n)})`,
};

export const decisionNames: Record<Decision, string> = { none: "undecided", keep: "keep", flag: "flag", reject: "reject" };

export const stateNames: Record<State, string> = { waiting: "waiting", working: "in work", done: "answered", failed: "failed", skipped: "left out" };

export const sortNames: Record<SortKey, string> = {
  added: "order added",
  name: "name",
  path: "folder",
  modified: "date",
  size: "file size",
  category: "category",
  share: "probability",
  margin: "lead over the second",
  uncovered: "evidence not weighed",
  decision: "decision",
};

export const decide = {
  label: "Decisions about the chosen photos",
  keep: "Keep",
  flag: "Flag",
  reject: "Reject",
  tag: "Tag",
  correct: "Correct",
  undo: "Undo",
  redo: "Redo",
  withKey: (name: string, key: string) => `${name} (${key})`,
  chosen: (n: number) => (n === 0 ? "Nothing chosen" : `${number.format(n)} chosen`),
  none: "Choose no photo",
  noneChosen: "Choose a photo first.",
  said: (what: string, n: number) => `${count(n, "photo")}: ${what}.`,
  undone: (n: number) => `Undone for ${count(n, "photo")}.`,
  redone: (n: number) => `Done again for ${count(n, "photo")}.`,
  tagTitle: "Tags",
  tagHint: (n: number) => `For ${count(n, "photo")}. Separate tags by commas.`,
  tags: "Tags",
  setTags: "Set tags",
  correctTitle: "The right category",
  correctHint: (n: number) => `For ${count(n, "photo")}. Leave it empty to take the model's answer again.`,
  correction: "Category",
  setCategory: "Set category",
  retry: (n: number) => `Try ${number.format(n)} again`,
  remove: "Remove the chosen photos from this review",
  removeTitle: "Remove from this review",
  removeHint: (n: number) => `${count(n, "photo")} and all decisions about ${n === 1 ? "it" : "them"} leave this review. The files themselves are not touched. This cannot be undone.`,
  removed: (n: number) => `${count(n, "photo")} removed.`,
  corrected: (category: string) => (category ? `category ${category}` : "the model's category"),
  tagged: (tags: readonly string[]) => (tags.length > 0 ? `tags ${tags.join(", ")}` : "no tags"),
};

/** What is wrong with tags. */
export const tags = {
  empty: "The tag is empty.",
  bar: (tag: string) => `The tag “${tag}” contains “|”, which separates tags in exported tables.`,
  long: (tag: string, length: number, limit: number) => `The tag “${tag.slice(0, 30)}…” has ${length} characters; the limit is ${limit}.`,
  many: (path: string, n: number, limit: number) => `${path} would have ${n} tags; the limit is ${limit}.`,
};

export const tile = {
  byYou: "by you",
  away: "file not here",
  unsure: " ?",
  file: (name: string) => `${name}: `,
  because: ", because there is ",
  model: (category: string, p: number) => `model: ${category}, ${percent(p)}`,
  marks: (list: readonly string[]) => `: ${list.join(", ")}`,
  copy: (name: string) => `same as ${name}`,
  select: "Choose",
};

export const detail = {
  label: "Photo",
  nothing: "Choose a photo to see its answer and the reasons for it.",
  previous: "Previous photo",
  next: "Next photo",
  big: "Show large",
  correctedTo: (category: string, model: string) => `You say ${category}; the model said ${model}.`,
  size: (width: number, height: number, bytes: number) => `${width > 0 ? `${width} × ${height} · ` : ""}${bytes >= 1e6 ? `${megabytes(bytes)} MB` : `${Math.ceil(bytes / 1e3)} kB`}`,
  method: "Way of scoring",
  changes: "What changes with it",
  changesHint: (now: string, session: string) => `Shares of this photo by ${now}, beside those by ${session}.`,
  same: (method: string) => `All photos are scored by ${method}. Choose another way to see what changes for this photo.`,
  useForAll: (method: string) => `Use ${method} for all photos`,
  table: "Every pair of category and reason",
  tableHint: "Darker means more probable. Point at a field, or use the arrow keys.",
  noTable: "CLIP compares category names only, so there are no pairs.",
  working: "Weighing…",
  notAmong: "–",
  notAttached: "The photo itself is not here since the page was loaded again. Choose its file or folder again to see it.",
  remove: "Remove from this review",
};

export const table = {
  corner: "Reason",
  hint: " ",
  cell: (row: string, column: string, p: number) => `${column}, because there is ${row}: ${percent(p)}`,
  weak: (row: string, column: string) => `${column}, because there is ${row}: less than the strongest twenty of ${column}`,
  label: "Probability of each pair of category and reason",
};

export const exporter = {
  title: "Export",
  scope: "Which photos",
  scopeAll: (n: number) => `All (${number.format(n)})`,
  scopeShown: (n: number) => `Shown (${number.format(n)})`,
  scopeChosen: (n: number) => `Chosen (${number.format(n)})`,
  grouping: "Folders by",
  by: { category: "category", decision: "decision" },
  csv: ["Review as CSV", "One line a photo: decision, tags, category, probability, reason. For spreadsheets."] as const,
  answers: ["Answers as CSV", "The best five categories of each photo with three reasons each, as the command line writes them."] as const,
  json: ["Review as JSON", "Everything that is known of each photo. For programs."] as const,
  copy: ["Copy into folders", "One folder a category, in a folder that you choose."] as const,
  move: ["Move into folders", "Copies, compares every byte, then deletes the originals."] as const,
  zip: ["ZIP", "One folder a category in one file, without compressing again."] as const,
  stale: (n: number) => `${count(n, "photo")} ${n === 1 ? "is" : "are"} still to be scored with the labels and the method in use: until then their answers are those before.`,
  noFolders: "This browser cannot write into folders. The ZIP has the same content.",
  noMove: "Only photos from a folder that was chosen with “Add a folder” can be moved.",
  confirmMove: (n: number) => `Move ${count(n, "photo")}? The originals are deleted after their copies were compared.`,
  moveNow: "Move",
  working: (done: number, all: number) => `${number.format(done)} of ${number.format(all)}…`,
  done: (n: number, problems: number) => `${count(n, "file")} written.${problems > 0 ? ` ${count(problems, "file")} could not be.` : ""}`,
  absent: (n: number) => `${count(n, "photo")} ${n === 1 ? "is" : "are"} not here and left out of folders and ZIP: add ${n === 1 ? "its file" : "their files"} again first.`,
  asking: "The browser asks whether the originals may be deleted…",
  notAllowed: "Without the right to change their folders, photos can only be copied.",
  writing: (name: string) => `Writing ${name}…`,
  saved: (name: string) => `${name} is saved where your browser keeps downloads.`,
  failed: (reason: string) => `The export stopped: ${reason}`,
  cancelled: "The export was cancelled. What was written before stays.",
  problems: "What went wrong",
};

export const model = {
  title: "Model",
  name: "Name",
  size: "Size",
  scheme: "Weights",
  license: "Licence",
  hash: "SHA-256",
  parameters: "Parameters",
  kernel: "Kernels",
  origin: "From",
  shipped: "this site",
  own: "a file of yours",
  version: "Page version",
  millions: (n: number) => `${(n / 1e6).toFixed(1)} million`,
  megabytes: (n: number) => `${megabytes(n)} MB`,
  open: "Open another weights file…",
  openHint: "A browser-weights file as tools/quantize makes it (.safetensors). It is read here and sent nowhere; photos are looked at again with it.",
  expected: "Its SHA-256, where you know it (not required)",
  opening: (part: number) => `Reading the file, ${percent(part)}`,
  opened: (name: string) => `${name} is in use now.`,
  refused: (reason: string) => `The file was refused, and the model before stays. ${reason}`,
  back: "Use the shipped model again",
  disclaimer: "Answers are guesses among the given categories and can be wrong; the reasons say what a guess rests on.",
};

export const privacy = {
  button: "Nothing leaves this device",
  requests: (n: number) => count(n, "request"),
  offline: "Offline use",
  title: "What left this device",
  nothing: "Photos, answers and decisions stay in this browser. No part of them is sent anywhere.",
  network: "Requests to the network since this page was loaded",
  foreign: "of them to another site",
  device: "Requests answered from this device",
  blocked: "Attempts that the browser blocked",
  measured: "Counted by the browser itself, in the page, its workers and its service worker.",
  firstLoad: "The page and its model came from this site when it was first opened. After that nothing is asked for, apart from the browser's own check for a new version of the page.",
  latest: "The latest requests",
  latestBlocked: "What was blocked",
  none: "none",
  line: (where: string, from: string) => `${where} (${from})`,
  from: (actor: string, network: boolean) => `${actor}, ${network ? "network" : "this device"}`,
  deleting: "Deleting…",
  check: "How to check this yourself, and what no page can rule out",
  checkURL: "privacy.md",
  storage: "What is kept in this browser",
  storageHint: "So that a reload continues where you were: names, sizes and dates of files, a hash and a description in numbers of each photo, answers, decisions, tags, categories and settings. Images only where you ask for it:",
  keepImages: "Keep the images, too, in this browser",
  deleteAll: "Delete everything of ecor from this browser",
  deleteHint: "Decisions, answers, settings, kept images, and the page itself for offline use. Your files are not touched.",
  confirm: "Everything of this review will be gone. Export first what you need.",
  deleteNow: "Delete everything now",
  deletedTitle: "Deleted",
  deleted: (d: Deleted) => {
    const size = d.bytes > 0 ? `, ${d.bytes >= 1e6 ? `${megabytes(d.bytes)} MB` : `${Math.ceil(d.bytes / 1e3)} kB`}` : "";
    return `${deletedNames[d.what]}${d.name ? ` ${d.name}` : ""}: ${number.format(d.count)}${size}`;
  },
  deletedNothing: "There was nothing to delete.",
  notDeleted: (problems: readonly string[]) => `Not everything could be deleted. ${problems.join(" ")} Load the page anew and try again.`,
  reload: "Load the page anew",
};

const deletedNames: Record<Deleted["what"], string> = {
  decisions: "Decisions",
  photos: "Answers about photos",
  images: "Images",
  folders: "Folders remembered",
  settings: "Settings",
  cache: "Files of the page in cache",
  "service worker": "Service worker",
  storage: "Storage",
};

export const session = {
  startOverHint: (n: number) => `${count(n, "photo")} and all decisions about them leave this review. The files themselves are not touched. This cannot be undone.`,
  startOverNow: "Remove all",
  problem: (problem: StoreProblem): string => {
    switch (problem) {
      case "unavailable":
        return "This browser window keeps nothing, as in private browsing. The review lasts until the page is closed: export before that.";
      case "in use":
        return "Another tab has this review open. What you do here is not kept.";
      case "blocked":
        return "Another tab with an older version of this page is open. Close it and reload; until then nothing is kept.";
      case "newer":
        return "A newer version of this page has written the review. Reload to use it; until then nothing is kept.";
      case "quota":
        return "The browser has no space left for this page. Decisions are kept as long as they fit, answers are not: export before you close the page.";
      case "images":
        return "The browser has no space left for images, so none are kept any more. Decisions and answers are.";
      case "closed":
      case "failed":
        return "The browser does not keep this review any more. It goes on until the page is closed: export before that.";
    }
  },
  missing: (n: number) => `${count(n, "photo")} of this review ${n === 1 ? "is" : "are"} not here. Choose the same files or folder again to see ${n === 1 ? "it" : "them"}; decisions are kept.`,
  folderAgain: "Read the folder again",
  otherModel: (file: string) => `The answers of this review were made with ${file}, a weights file of yours. Open it again to go on; with the shipped model all photos are looked at anew, and those answers are gone.`,
  openModel: "Open the weights file…",
  shippedModel: "Use the shipped model",
  answersDropped: (n: number) => `The model is another one than before, so ${count(n, "answer")} ${n === 1 ? "is" : "are"} gone and the photos are looked at anew. Decisions are kept.`,
};

export const help = {
  title: "Keys",
  keys: [
    ["K", "keep"],
    ["F", "flag"],
    ["R", "reject"],
    ["U", "undecided again"],
    ["T", "tags"],
    ["C", "correct the category"],
    ["Ctrl Z", "undo"],
    ["Ctrl Shift Z", "redo"],
    ["← → ↑ ↓", "go to another photo"],
    ["Shift and arrow", "choose several"],
    ["Space", "choose or not"],
    ["Ctrl A", "choose all"],
    ["Enter", "show large"],
    ["Esc", "close, or choose none"],
    ["/", "search"],
    ["P", "pause or go on"],
    ["?", "this list"],
  ] as const,
  single: "Single letters decide (switch off for speech input)",
  advance: "After a decision, go to the next photo",
};

/** Why a file cannot be used. */
export const files = {
  gone: "The file is not there any more.",
  unreadable: "The file cannot be read; it may have been changed, moved or locked.",
  notAllowed: "The browser or the system does not allow this.",
  noSpace: "There is no space left.",
  inUse: "The file is in use or may not be changed.",
  notAFile: "There is a folder where a file is wanted, or a file where a folder is wanted.",
  missing: "The file is missing; open its folder again.",
  differs: "The copy differs from the original.",
  notDeleted: (reason: string) => `The original was not deleted. ${reason}`,
  noRight: "The browser gave the file without the right to delete it.",
  changed: "It has changed meanwhile.",
  noFolder: "This browser deletes files only where their folder was opened.",
  noImage: "The photo that was kept in this browser is not there any more.",
};

/** Why an image is refused. */
export const imageProblems = {
  empty: "The file is empty (0 bytes).",
  notAnImage: "This is not a JPEG, PNG, GIF, WebP or AVIF image.",
  noHeader: (format: string) => `The ${format} file has no readable header.`,
  header: (format: string) => `${format} header`,
  bitmap: "bitmap",
  noSize: (what: string, width: number, height: number) => `The ${what} says ${width} × ${height} pixels.`,
  side: (width: number, height: number, limit: number) => `The image is ${width} × ${height} pixels; a side may have ${limit} at most.`,
  pixels: (width: number, height: number, limit: number) =>
    `The image is ${width} × ${height} pixels, ${Math.round((width * height) / 1e6)} million; the limit is ${limit / 1e6} million.`,
  undecodable: (format: string) => `The browser cannot decode this ${format} file; it may be damaged, or of a kind that this browser does not know.`,
  noCanvas: (width: number, height: number) => `The browser has no memory for a canvas of ${width} × ${height} pixels.`,
};

/** Why categories or a label pack are refused; the names that are given here are in quotes. */
export const labelProblems = {
  fileSize: (limit: number) => `The label pack is longer than ${limit} bytes.`,
  notJSON: (reason: string) => `The label pack is not JSON: ${reason}`,
  pack: "the label pack",
  format: (is: string, want: string) => `format is ${is}, want ${want}`,
  keyTwice: (key: string) => `key ${key} is given twice`,
  unknownKey: (key: string) => `unknown key ${key}: want format, name, language, author, license, templates or categories`,
  unknownTemplate: (key: string) => `unknown kind of template ${key}: want category, rationale or conditional`,
  templateKeyTwice: (key: string) => `key ${key} of templates is given twice`,
  templates: (kind: string, n: number, limit: number) => `${n} ${kind} templates; want 1 to ${limit}`,
  kinds: { object: "an object", list: "a list", string: "a string" },
  notAnObject: (what: string, kind: string) => `${what} must be an object, not ${kind}`,
  notAString: (what: string, kind: string) => `${what} must be a string, not ${kind}`,
  notStrings: (what: string, kind: string) => `${what} must be a string or a list of strings, not ${kind}`,
  category: "The category",
  rationaleOf: (category: string) => `The category ${category}: rationale`,
  rationaleIn: (category: string) => `category ${category}: rationale`,
  template: (kind: string) => `${kind} template`,
  noCategories: "There are no categories; at least one is needed.",
  tooManyCategories: (n: number, limit: number) => `There are ${n} categories; the limit is ${limit}.`,
  noRationale: (category: string) => `The category ${category} has no rationale; at least one is needed.`,
  tooManyRationales: (category: string, n: number, limit: number) => `The category ${category} has ${n} rationales; the limit is ${limit}.`,
  empty: (what: string) => `${what} is empty.`,
  tooLong: (what: string, text: string, bytes: number, limit: number) => `${what} ${text} has ${bytes} bytes; the limit is ${limit}.`,
  controlCharacter: (what: string, text: string) => `${what} ${text} contains a control character.`,
  brokenCharacter: (what: string, text: string) => `${what} ${text} contains a broken character.`,
  twice: (what: string, text: string, first?: string) => `${what} ${text} is given twice${first ? `: it equals ${first}` : ""}.`,
  slot: (what: string, text: string, slot: string, wanted: boolean) => `${what} ${text} must ${wanted ? `contain ${slot} once` : `not contain ${slot}`}`,
};

/** Why a worker, or the module in it, cannot go on. What the module itself refuses, it says in its own English. */
export const engineProblems = {
  notLoaded: "the model is not loaded",
  otherWeights: (sha256: string, wanted: string) => `These are not the weights that were asked for: their SHA-256 is ${sha256}, not ${wanted}.`,
  version: (module: number, page: number) => `the module speaks version ${module}, this page version ${page}`,
  stopped: (reason: string) => `the module stopped: ${reason}`,
  requestSize: (bytes: number, limit: number) => `request of ${bytes} bytes is over the limit of ${limit}`,
  noWorker: "the worker could not be started",
  silent: (seconds: number) => `the worker said nothing for ${seconds} seconds`,
  unreadable: "a message of the worker could not be read",
};

/** Why a file of the site itself is refused. */
export const siteProblems = {
  server: (path: string, status: number, text: string) => `${path}: the server answered ${status} ${text}`,
  longer: (path: string, bytes: number) => `${path} is longer than the ${bytes} bytes that this page was built with`,
  other: (path: string, at: number, sha256: string, want?: string) =>
    `${path} is not the file that this page was built with: from byte ${at} on its SHA-256 is ${sha256}, not ${want}`,
};

/** Why something kept in the browser was not deleted. */
export const wipe = {
  refused: "The browser did not delete the database.",
  inUse: "Another tab still uses the database; close it, then it is deleted.",
};

export const problems = {
  start: (reason: string) => `The page could not be started: ${reason}. Where a reload does not help, what this browser keeps of the review is damaged: the panel at the top right deletes it.`,
  notStarted: "The page was not started, so nothing can be added.",
  stopped: "The model ran out of memory or stopped, and was started again. The photo that it stopped at is marked.",
  reload: "Reload the page",
  unexpected: (reason: string) => `Something went wrong: ${reason}`,
};
