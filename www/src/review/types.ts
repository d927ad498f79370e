/**
 * The shapes of a review: what is known and decided about each photo, how
 * photos are looked through, and where a review is kept. No DOM here: the page
 * shows what this model says, and tests run it without a page.
 */

import type { Answer, Method } from "../wire";

/** What becomes of a photo. "skipped" is a file that was refused before anything was decoded. */
export type State = "waiting" | "working" | "done" | "failed" | "skipped";
export const states: readonly State[] = ["waiting", "working", "done", "failed", "skipped"];

export type Decision = "none" | "keep" | "flag" | "reject";
export const decisions: readonly Decision[] = ["none", "keep", "flag", "reject"];

/** Why there is no answer for a photo; message is a sentence for people. */
export interface Reason {
  /**
   * "empty": no bytes; "refused": by its header, such as no image or too large;
   * "unreadable": the file system does not give the bytes;
   * "failed": decoder or engine; "cancelled".
   */
  kind: "empty" | "refused" | "unreadable" | "failed" | "cancelled";
  message: string;
}

/** What a person says about a photo; undo and redo are about this and nothing else. */
export interface Marks {
  readonly decision: Decision;
  readonly tags: readonly string[]; // sorted, no two equal without regard to case
  readonly corrected: string; // the right category, "" where nobody said so
}

/** The part of an answer that grids, filters and sorting need. */
export interface Best {
  readonly method: Method;
  readonly labels: number; // revision of the labels that were scored, see Review.useLabels
  readonly category: string;
  readonly probability: number; // P(c|I) as the engine gave it
  /** Probability as a share of the evidence that was weighed: what the page shows as a percentage. */
  readonly share: number;
  readonly margin: number; // share less that of the second category
  readonly uncovered: number; // stage-1 mass that was not weighed
  readonly rationales: readonly string[]; // of the category, best first, at most 3
}

/**
 * One file of a review. Items are never changed: an update puts a new object in
 * their place, so `===` says whether anything changed.
 */
export interface Item extends Marks {
  readonly id: number; // counts up from 1 in the order of arrival; kept across reloads
  readonly name: string; // of the file
  readonly path: string; // relative to what was dropped or chosen, with "/" between folders; ends with name
  readonly size: number; // bytes
  readonly modified: number; // milliseconds since 1970, 0 where unknown
  readonly width: number; // pixels as shown, 0 until known
  readonly height: number;
  readonly state: State;
  readonly reason: Reason | undefined;
  readonly embedding: Float32Array | undefined; // unit length, so that nothing of the image is done again
  readonly best: Best | undefined;
  /** Digest of the content (review/digest.ts), "" where no other file has the same size. */
  readonly content: string;
  readonly duplicateOf: number; // id of the first item with the same content, 0 where there is none
  readonly attached: boolean; // its bytes are at hand: Review.source gives them
}

/** Where the bytes of an item come from in this visit; never written to the session store. */
export interface Source {
  /** Reads the file as it is now; rejects where it cannot be read. */
  file(): Promise<File>;
  /** Where the browser gives one: needed to move files. */
  handle?: FileSystemFileHandle | undefined;
  parent?: FileSystemDirectoryHandle | undefined;
  /** The bytes are those that this browser keeps; the file itself is not at hand. */
  kept?: boolean | undefined;
}

/** A file on its way in. */
export interface Found {
  name: string;
  path: string;
  size: number;
  modified: number;
  source: Source;
}

/** What is known from the start about an item. */
export type NewItem = Found & { width?: number; height?: number; state?: State; reason?: Reason };

/** Fields that the engine's side updates. */
export type Patch = Partial<Pick<Item, "width" | "height" | "state" | "reason" | "content" | "duplicateOf">>;

export type Mark = Partial<Marks>;

/** Which items to show; a field left out does not filter. */
export interface Filter {
  text?: string; // words that must all occur in path, category, corrected category, tags or rationales
  categories?: ReadonlySet<string>; // corrected category, else the best one
  rationales?: ReadonlySet<string>; // one of Best.rationales
  share?: readonly [number, number]; // inclusive
  decisions?: ReadonlySet<Decision>;
  states?: ReadonlySet<State>;
  tags?: ReadonlySet<string>; // any of them
  unsure?: Unsure; // only unsure answers
  corrected?: boolean; // has a corrected category, or has none
  duplicates?: boolean; // only copies, or no copies
}

/** An answer is unsure where its margin is below, or its uncovered mass above these. */
export interface Unsure {
  margin: number;
  uncovered: number;
}

export const defaultUnsure: Unsure = { margin: 0.1, uncovered: 0.5 };

export type SortKey = "added" | "name" | "path" | "modified" | "size" | "category" | "share" | "margin" | "uncovered" | "decision";

/** Equal items, and those without a value, are in the order of arrival; those without a value come last. */
export interface Sort {
  by: SortKey;
  descending: boolean;
}

/** How many items have each value; over all items, not only those shown. */
export interface Counts {
  readonly all: number;
  readonly duplicates: number;
  readonly corrected: number;
  readonly states: ReadonlyMap<State, number>;
  readonly decisions: ReadonlyMap<Decision, number>;
  readonly categories: ReadonlyMap<string, number>;
  readonly rationales: ReadonlyMap<string, number>; // of Best.rationales
  readonly tags: ReadonlyMap<string, number>;
}

/** What changed in a review. One event tells of a whole batch. */
export interface ReviewEvents {
  /** Items that were added, changed or removed. */
  items: ReadonlySet<number>;
  /** Something can be undone or redone now, or no longer. */
  history: void;
  /** Another label set or method is wanted. */
  wanted: void;
}

/** What was undone or redone, for a message. */
export interface Undone {
  ids: readonly number[];
  before: readonly Marks[]; // what ids had
  after: readonly Marks[]; // what they have now
}

/** Why a session cannot be kept; the review goes on in memory. */
export type StoreProblem =
  | "unavailable" // no IndexedDB, as in some private modes
  | "in use" // another tab has this session
  | "blocked" // another tab holds an older version of the database
  | "newer" // a newer version of the page has written the database
  | "quota" // no space for more than decisions
  | "images" // no space for images: none are kept any more, the rest is
  | "closed" // the browser ended the connection
  | "failed";

/** What is kept of an item between visits. */
export interface StoredItem {
  id: number;
  name: string;
  path: string;
  size: number;
  modified: number;
  width: number;
  height: number;
  state: State;
  reason: Reason | undefined;
  embedding: Float32Array | undefined;
  answer: StoredAnswer | undefined;
  content: string;
  duplicateOf: number;
}

/** An answer with names of its own, so that a record can be read alone. */
export interface StoredAnswer {
  labels: number;
  method: Method;
  kept: number;
  uncovered: number;
  names: string[];
  categories: Uint32Array; // (C) indexes of names
  probabilities: Float32Array; // (C)
  ends: Uint32Array; // (C) where each category's rationales end
  rationales: Uint32Array; // (ends[C-1]) indexes of names
  joints: Float32Array; // as rationales
}

/** Decisions know their file, so that they find it again where its item was not written yet. */
export interface StoredMarks extends Marks {
  id: number;
  name: string;
  path: string;
  size: number;
  modified: number;
}

/** What is kept beside the items. */
export interface SessionInfo {
  created: number; // milliseconds since 1970
  model: string; // SHA-256 of the weights; embeddings of other weights are of no use
  modelFile: string; // name of the file that the weights were opened from, "" for the shipped ones
  labels: string; // label pack as JSON
  shipped: boolean; // labels are those that came with the page
  revision: number; // of the labels, see Review.useLabels
  method: Method;
  keepImages: boolean;
  settings: Record<string, unknown>; // the page's own, plain data
}

/** What was kept beside the items. */
export interface StoredSession {
  info: SessionInfo | undefined;
  marks: StoredMarks[];
  images: number[]; // ids whose bytes are kept
  /** Folders that were opened with a handle; they need permission again. */
  folders: FileSystemDirectoryHandle[];
}

/** Things to be written together, or not at all. */
export interface Write {
  info?: SessionInfo;
  items?: readonly StoredItem[];
  marks?: readonly StoredMarks[];
  images?: readonly (readonly [id: number, image: Blob])[];
  folders?: readonly FileSystemDirectoryHandle[]; // beside those that are there
  noFolders?: boolean; // forget those that are there
  removed?: readonly number[]; // ids of which nothing is to be left
  noImages?: boolean; // keep no bytes any longer
  /** Resolve only when it is on disk. */
  durable?: boolean;
}

/** Keeps one session. What goes wrong is told to onProblem, once for each kind but "images"; the review goes on in memory. */
export interface SessionStore {
  /** Whether anything is being kept. */
  readonly works: boolean;
  load(): Promise<StoredSession>;
  /** Returns the items that were kept, some at a time. */
  items(): AsyncIterable<StoredItem[]>;
  /** Says whether it was written; never rejects. */
  write(change: Write): Promise<boolean>;
  image(id: number): Promise<Blob | undefined>;
  close(): void;
}

export type OnProblem = (problem: StoreProblem, detail: string) => void;

/** What "delete everything" did. */
export interface Wiped {
  deleted: Deleted[];
  problems: string[]; // sentences about what could not be deleted
}

/** One kind of thing that "delete everything" deleted. */
export interface Deleted {
  what: "decisions" | "photos" | "images" | "folders" | "settings" | "cache" | "service worker" | "storage";
  name: string; // of the cache, worker scope or storage key, else ""
  count: number;
  bytes: number; // as far as they can be measured
}

export type { Answer, Method };
