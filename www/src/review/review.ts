/** A review: its items, what is decided about them, and what is still to be done. */

import * as strings from "../strings";
import { bestOf, fromStored, Names, pack, toStored, unpack, type Packed } from "./answers";
import { Events } from "./events";
import { History } from "./history";
import { Tally } from "./tally";
import type { Answer, Counts, Decision, Found, Item, Mark, Marks, Method, NewItem, Patch, ReviewEvents, Source, StoredItem, Undone } from "./types";

export const maxTag = 60; // characters
export const maxTags = 30; // of one item

/** What became of files that were brought in. */
export interface Added {
  added: number[]; // new items
  attached: number[]; // items of an earlier visit whose files are back
  known: number[]; // files that were there already
}

/**
 * Holds thousands of items. An update costs the same however many there are;
 * what has to be told is told once for each batch, views first.
 */
export class Review {
  private readonly all = new Map<number, Item>(); // in order of id
  private readonly sources = new Map<number, Source>();
  private readonly answers = new Map<number, Packed>();
  private readonly files = new Map<string, Set<number>>(); // by fileKey
  private readonly names = new Names();
  private readonly history = new History();
  private readonly tally = new Tally();
  private readonly events = new Events<ReviewEvents>();
  private readonly followers = new Set<(changed: ReadonlySet<number>) => void>();
  private readonly waiting = new Set<number>();
  private readonly stale = new Set<number>();
  private changed = new Set<number>(); // in the current batch
  private depth = 0;
  private lastId = 0;
  private wanted: { labels: number; method: Method } = { labels: 1, method: "ecor" };

  on<K extends keyof ReviewEvents>(kind: K, listener: (value: ReviewEvents[K]) => void): () => void {
    return this.events.on(kind, listener);
  }

  /** Calls follower with the ids of every batch of changes, before the event; for views. */
  follow(follower: (changed: ReadonlySet<number>) => void): () => void {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }

  /** Runs f and tells of all its changes at once. */
  batch<T>(f: () => T): T {
    this.depth++;
    try {
      return f();
    } finally {
      this.depth--;
      if (this.depth === 0 && this.changed.size > 0) {
        const changed = this.changed;
        this.changed = new Set();
        this.followers.forEach((follow) => follow(changed));
        this.events.emit("items", changed);
      }
    }
  }

  get size(): number {
    return this.all.size;
  }

  get counts(): Counts {
    return this.tally;
  }

  /** In the order of arrival. */
  items(): IterableIterator<Item> {
    return this.all.values();
  }

  get(id: number): Item | undefined {
    return this.all.get(id);
  }

  source(id: number): Source | undefined {
    return this.sources.get(id);
  }

  /** Returns an item's answer, built anew with every call: all that is kept, or the first of each. */
  answer(id: number, top?: number, topRationales?: number): Answer | undefined {
    const packed = this.answers.get(id);
    return packed && unpack(packed, this.names, this.all.get(id)?.embedding ?? new Float32Array(0), top, topRationales);
  }

  /** Items whose image was not looked at and whose file is at hand, oldest first. */
  get toClassify(): ReadonlySet<number> {
    return this.waiting;
  }

  /** Items with an embedding but without an answer for the wanted labels and method. */
  get toScore(): ReadonlySet<number> {
    return this.stale;
  }

  get method(): Method {
    return this.wanted.method;
  }

  /** Revision of the labels in use. */
  get labels(): number {
    return this.wanted.labels;
  }

  useMethod(method: Method): void {
    this.want({ ...this.wanted, method });
  }

  /** Says that labels have changed; every answer of another revision is out of date. Returns the revision. */
  useLabels(revision = this.wanted.labels + 1): number {
    this.want({ ...this.wanted, labels: revision });
    return revision;
  }

  /**
   * Brings files in. A file that is there already, by path, size and date, is
   * not added again; one whose name, size and date are those of an item of an
   * earlier visit gives that item its bytes back. One that could not be read
   * before is looked at again.
   */
  add(files: readonly NewItem[]): Added {
    return this.batch(() => {
      const out: Added = { added: [], attached: [], known: [] };
      for (const file of files) {
        const item = this.match(file);
        if (item && item.reason?.kind === "unreadable" && file.state !== "skipped") {
          this.moved(item.id, file);
          this.update(item.id, { state: "waiting", reason: undefined });
          out.attached.push(item.id);
        } else if (item?.attached && !this.sources.get(item.id)?.kept) {
          out.known.push(item.id);
        } else if (item) {
          this.attach(item.id, file.source);
          out.attached.push(item.id);
        } else {
          out.added.push(this.insert(file));
        }
      }
      return out;
    });
  }

  /** Finds the item that a file belongs to: one without its file by name, any by path. */
  private match(file: NewItem): Item | undefined {
    let found: Item | undefined;
    for (const id of this.files.get(fileKey(file)) ?? []) {
      const item = this.all.get(id)!;
      if (item.path === file.path) {
        return item;
      }
      if (!item.attached) {
        found ??= item;
      }
    }
    return found ?? this.unreadable(file);
  }

  /** Finds the item of a file whose size and date could not be read when it was found. */
  private unreadable({ name, path }: NewItem): Item | undefined {
    const ids = [...(this.files.get(fileKey({ name, size: 0, modified: 0 })) ?? [])];
    return ids.map((id) => this.all.get(id)!).find((item) => item.path === path && item.reason?.kind === "unreadable");
  }

  private insert(file: NewItem): number {
    const { name, path, size, modified, source, width = 0, height = 0, state = "waiting", reason } = file;
    const id = ++this.lastId;
    this.sources.set(id, source);
    this.put({
      id, name, path, size, modified, width, height, state, reason,
      embedding: undefined, best: undefined, content: "", duplicateOf: 0, attached: true,
      ...unmarked,
    });
    return id;
  }

  /** Gives an item its bytes back. */
  attach(id: number, source: Source): void {
    const item = this.all.get(id);
    if (item) {
      this.sources.set(id, source);
      this.put({ ...item, attached: true });
    }
  }

  /** Says that an item's bytes are not at hand any more. */
  detach(id: number): void {
    const item = this.all.get(id);
    if (item) {
      this.sources.delete(id);
      this.put({ ...item, attached: false });
    }
  }

  /** Says that an item's file is another one now, with the same content: so it is found again in a later visit. */
  moved(id: number, file: Found): void {
    const item = this.all.get(id);
    if (item) {
      const { name, path, size, modified, source } = file;
      const now = { ...item, name, path, size, modified, attached: true };
      this.files.get(fileKey(item))?.delete(id);
      this.index(now);
      this.sources.set(id, source);
      this.put(now);
    }
  }

  update(id: number, patch: Patch): void {
    const item = this.all.get(id);
    if (item) {
      this.put({ ...item, ...patch });
    }
  }

  /**
   * Takes the engine's answer for an item, made with labels of the given
   * revision. Ask for top 20 and topRationales 20: more is not kept.
   */
  answered(id: number, answer: Answer, labels = this.wanted.labels): void {
    const item = this.all.get(id);
    if (!item) {
      return;
    }
    const packed = pack(answer, labels, this.names);
    this.answers.set(id, packed);
    const embedding = answer.imageEmbedding.length > 0 ? answer.imageEmbedding : item.embedding;
    this.put({ ...item, state: "done", reason: undefined, embedding, best: bestOf(packed, this.names) });
  }

  /** Forgets everything that came from other weights: photos have to be looked at again. Returns how many had an answer. */
  dropAnswers(): number {
    const { size } = this.answers;
    this.batch(() => {
      this.answers.clear();
      for (const item of [...this.all.values()]) {
        if (item.state === "done" || item.state === "working") {
          this.put({ ...item, state: "waiting", embedding: undefined, best: undefined });
        }
      }
    });
    return size;
  }

  /** Removes items from the list; their files stay where they are. Cannot be undone. */
  remove(ids: Iterable<number>): void {
    this.batch(() => {
      for (const id of [...ids]) {
        const item = this.all.get(id);
        if (item) {
          this.changed.add(id);
          this.tally.count(item, -1);
          this.files.get(fileKey(item))?.delete(id);
          [this.all, this.sources, this.answers, this.waiting, this.stale].forEach((each) => each.delete(id));
        }
      }
      this.promoteCopies(ids);
    });
  }

  /** Where the first of several equal files is removed, the next takes its place. */
  private promoteCopies(removed: Iterable<number>): void {
    const gone = new Set(removed);
    const first = new Map<number, number>(); // removed id -> the copy that takes its place
    for (const item of [...this.all.values()]) {
      if (gone.has(item.duplicateOf)) {
        const next = first.get(item.duplicateOf) ?? 0;
        first.set(item.duplicateOf, next || item.id);
        this.put({ ...item, duplicateOf: next });
      }
    }
  }

  clear(): void {
    this.remove([...this.all.keys()]);
    this.history.clear();
    this.events.emit("history", undefined);
  }

  decide(ids: Iterable<number>, decision: Decision): void {
    this.mark(ids, () => ({ decision }));
  }

  /** Says which category is right; "" takes that back. */
  correct(ids: Iterable<number>, category: string): void {
    this.mark(ids, () => ({ corrected: category.trim() }));
  }

  /**
   * Adds tags and takes others away, as one step of undo. Returns what is wrong
   * with them, or ""; then nothing is changed.
   */
  tag(ids: readonly number[], add: readonly string[], remove: readonly string[] = []): string {
    const wanted = [...new Map(add.map(tidyTag).map((t) => [t.toLowerCase(), t])).values()];
    const gone = new Set([...wanted, ...remove.map(tidyTag)].map((t) => t.toLowerCase()));
    const tagsOf = ({ tags }: Item) => [...tags.filter((t) => !gone.has(t.toLowerCase())), ...wanted].sort();
    const problem = wanted.map(tagProblem).find(Boolean);
    if (problem) {
      return problem;
    }
    for (const id of ids) {
      const item = this.all.get(id);
      const n = item ? tagsOf(item).length : 0;
      if (n > maxTags) {
        return strings.tags.many(item!.path, n, maxTags);
      }
    }
    this.mark(ids, (item) => ({ tags: tagsOf(item) }));
    return "";
  }

  /** Changes marks of items, as one step of undo. */
  mark(ids: Iterable<number>, change: (item: Item) => Mark): void {
    const step: { ids: number[]; before: Marks[]; after: Marks[] } = { ids: [], before: [], after: [] };
    this.batch(() => {
      for (const id of new Set(ids)) {
        const item = this.all.get(id);
        if (!item) {
          continue;
        }
        const before = marksOf(item);
        const after = { ...before, ...change(item) };
        if (!sameMarks(before, after)) {
          step.ids.push(id);
          step.before.push(before);
          step.after.push(after);
          this.put({ ...item, ...after });
        }
      }
    });
    if (step.ids.length > 0) {
      this.history.push(step);
      this.events.emit("history", undefined);
    }
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }

  /** Takes the last change of marks back. */
  undo(): Undone | undefined {
    return this.replay(this.history.undo());
  }

  redo(): Undone | undefined {
    return this.replay(this.history.redo());
  }

  private replay(step: Undone | undefined): Undone | undefined {
    if (step) {
      this.batch(() =>
        step.ids.forEach((id, i) => {
          const item = this.all.get(id);
          if (item) {
            this.put({ ...item, ...step.after[i]! });
          }
        }),
      );
      this.events.emit("history", undefined);
    }
    return step;
  }

  /** Returns what is to be kept of an item between visits. */
  stored(id: number): StoredItem | undefined {
    const item = this.all.get(id);
    if (!item) {
      return undefined;
    }
    const { name, path, size, modified, width, height, reason, embedding, content, duplicateOf } = item;
    const state = item.state === "working" ? "waiting" : item.state;
    const packed = this.answers.get(id);
    const answer = packed && toStored(packed, this.names);
    return { id, name, path, size, modified, width, height, state, reason, embedding, answer, content, duplicateOf };
  }

  /** Puts kept items into the review. Their files are missing until they are added again. */
  restore(items: readonly StoredItem[], marks: ReadonlyMap<number, Marks>): void {
    this.batch(() => {
      for (const { answer, ...stored } of items) {
        const { id } = stored;
        const packed = answer && fromStored(answer, this.names);
        if (packed) {
          this.answers.set(id, packed);
        }
        const own = marks.get(id) ?? unmarked;
        this.put({ ...stored, ...marksOf(own), best: packed && bestOf(packed, this.names), attached: false });
        this.lastId = Math.max(this.lastId, id);
      }
    });
  }

  private want(wanted: { labels: number; method: Method }): void {
    if (wanted.labels === this.wanted.labels && wanted.method === this.wanted.method) {
      return;
    }
    this.wanted = wanted;
    for (const item of this.all.values()) {
      this.enqueue(item);
    }
    this.events.emit("wanted", undefined);
  }

  private put(item: Item): void {
    const before = this.all.get(item.id);
    this.all.set(item.id, item);
    if (before) {
      this.tally.count(before, -1);
    } else {
      this.index(item);
    }
    this.tally.count(item, 1);
    this.enqueue(item);
    this.batch(() => this.changed.add(item.id));
  }

  private index(item: Item): void {
    const key = fileKey(item);
    const ids = this.files.get(key) ?? new Set();
    this.files.set(key, ids.add(item.id));
  }

  private enqueue(item: Item): void {
    const { id, state, attached, embedding, best } = item;
    const { labels, method } = this.wanted;
    const old = !best || best.labels !== labels || best.method !== method;
    set(this.waiting, id, state === "waiting" && attached && !embedding);
    set(this.stale, id, embedding !== undefined && old && state !== "working" && state !== "failed");
  }
}

function set(ids: Set<number>, id: number, on: boolean): void {
  if (on) {
    ids.add(id);
  } else {
    ids.delete(id);
  }
}

function tidyTag(tag: string): string {
  return tag.normalize("NFC").replace(/[\s\p{Cc}]+/gu, " ").trim();
}

/** Says why a tidy text cannot be a tag, or "". */
function tagProblem(tag: string): string {
  const length = [...tag].length;
  if (length === 0) {
    return strings.tags.empty;
  }
  if (tag.includes("|")) {
    return strings.tags.bar(tag); // separates tags in exported tables
  }
  return length > maxTag ? strings.tags.long(tag, length, maxTag) : "";
}

function fileKey({ name, size, modified }: { name: string; size: number; modified: number }): string {
  return `${size} ${modified} ${name}`;
}

export const unmarked: Marks = { decision: "none", tags: [], corrected: "" };

export function marksOf({ decision, tags, corrected }: Marks): Marks {
  return { decision, tags, corrected };
}

export function sameMarks(a: Marks, b: Marks): boolean {
  return a.decision === b.decision && a.corrected === b.corrected && a.tags.length === b.tags.length && a.tags.every((t, i) => t === b.tags[i]);
}
