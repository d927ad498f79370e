/**
 * Brings files into a review and looks at them before anything is decoded:
 * what is no image or too large is skipped with its reason, and files with the
 * same content are marked as copies of the first.
 */

import { readHeader } from "../header";
import * as strings from "../strings";
import { digest } from "./digest";
import { fileProblem } from "./files";
import type { Added, Review } from "./review";
import type { Item, NewItem, Reason } from "./types";

const batchSize = 200; // items added at once
const longestTurn = 20; // milliseconds of listing, after which the page has its turn
const atOnce = 2; // files that are read at the same time

/** Brings files into a review. One for each review. */
export class Intake {
  private readonly sizes = new Map<number, Set<number>>(); // ids by size in bytes
  private readonly contents = new Map<string, Set<number>>(); // ids by content
  private queue: number[] = []; // ids to look at
  private running = 0;
  private idle: (() => void)[] = [];
  private listing = 0; // calls of bring that still look for files
  private ending = new AbortController();

  constructor(private readonly review: Review) {}

  /**
   * Ends what is being brought in, and forgets what has still to be looked at.
   * Returns whether files were still looked for, of which the rest is not added.
   */
  stop(): boolean {
    this.ending.abort();
    this.ending = new AbortController();
    this.queue = [];
    return this.listing > 0;
  }

  /**
   * Adds files as they are found; looking at them goes on afterwards, see
   * settled. Returns undefined where stop was called before all were found.
   */
  async bring(files: Iterable<NewItem> | AsyncIterable<NewItem>, onAdded?: (sum: Added) => void): Promise<Added | undefined> {
    const { signal } = this.ending;
    this.listing++;
    try {
      return await this.addAll(files, signal, onAdded);
    } finally {
      this.listing--;
    }
  }

  private async addAll(files: Iterable<NewItem> | AsyncIterable<NewItem>, signal: AbortSignal, onAdded?: (sum: Added) => void): Promise<Added | undefined> {
    const sum: Added = { added: [], attached: [], known: [] };
    let batch: NewItem[] = [];
    const add = () => {
      const some = this.review.add(batch);
      batch = [];
      sum.added.push(...some.added);
      sum.attached.push(...some.attached);
      sum.known.push(...some.known);
      [...some.added, ...some.attached].forEach((id) => this.look(id));
      onAdded?.(sum);
    };
    for (const item of this.review.items()) {
      if (!item.attached) {
        this.remember(item); // of an earlier visit
      }
    }
    let last = performance.now();
    for await (const file of files) {
      if (signal.aborted) {
        return undefined;
      }
      batch.push(file);
      if (batch.length >= batchSize || performance.now() - last > longestTurn) {
        add();
        await new Promise((resolve) => setTimeout(resolve)); // lets the page show them
        last = performance.now();
      }
    }
    if (signal.aborted) {
      return undefined;
    }
    add();
    return sum;
  }

  /** Resolves when every file that was brought in has been looked at. */
  async settled(): Promise<void> {
    if (this.running > 0) {
      await new Promise<void>((resolve) => this.idle.push(resolve));
    }
  }

  private look(id: number): void {
    this.queue.push(id);
    if (this.running < atOnce) {
      this.running++;
      void this.work();
    }
  }

  private async work(): Promise<void> {
    for (let id = this.queue.shift(); id !== undefined; id = this.queue.shift()) {
      await this.check(id);
    }
    this.running--;
    if (this.running === 0) {
      this.idle.forEach((resolve) => resolve());
      this.idle = [];
    }
  }

  private async check(id: number): Promise<void> {
    const item = this.review.get(id);
    if (!item || item.state === "skipped") {
      return;
    }
    const reason = await this.checkHeader(item);
    if (reason) {
      // What was classified meanwhile is an image after all.
      if (this.review.get(id)?.state === "waiting") {
        this.review.update(id, { state: "skipped", reason });
      }
      return;
    }
    await this.findCopy(item);
  }

  private async checkHeader({ id, size }: Item): Promise<Reason | undefined> {
    if (size === 0) {
      return { kind: "empty", message: strings.imageProblems.empty };
    }
    try {
      const file = await this.review.source(id)!.file();
      const { width, height } = await readHeader(file);
      if (this.review.get(id)?.width === 0) {
        this.review.update(id, { width, height });
      }
      return undefined;
    } catch (e) {
      return { kind: e instanceof DOMException ? "unreadable" : "refused", message: fileProblem(e) };
    }
  }

  /** Compares a file with those of the same size. Digests are made when there are two to compare. */
  private async findCopy(item: Item): Promise<void> {
    const same = this.remember(item);
    if (same.size < 2) {
      return;
    }
    for (const id of same.size === 2 ? [...same] : [item.id]) {
      await this.digestOf(id);
      this.group(id);
    }
  }

  /** Puts an item to those with the same content; all but the oldest are copies. */
  private group(id: number): void {
    const content = this.review.get(id)?.content;
    if (!content) {
      return;
    }
    const ids = [...(this.contents.get(content) ?? []), id].filter((other) => this.review.get(other));
    const group = new Set(ids.sort((a, b) => a - b));
    this.contents.set(content, group);
    const [first = 0] = group;
    this.review.batch(() => {
      for (const id of group) {
        const duplicateOf = id === first ? 0 : first;
        if (this.review.get(id)!.duplicateOf !== duplicateOf) {
          this.review.update(id, { duplicateOf });
        }
      }
    });
  }

  private remember({ id, size, content }: Item): Set<number> {
    const same = this.sizes.get(size) ?? new Set();
    this.sizes.set(size, same.add(id));
    if (content && !this.contents.get(content)?.has(id)) {
      this.group(id);
    }
    return same;
  }

  private async digestOf(id: number): Promise<void> {
    const item = this.review.get(id);
    const source = this.review.source(id);
    if (!item || item.content || !source) {
      return;
    }
    try {
      this.review.update(id, { content: await digest(await source.file(), this.ending.signal) });
    } catch {
      // Its bytes cannot be read now; classifying it will say so.
    }
  }
}
