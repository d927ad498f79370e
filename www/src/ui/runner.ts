/** Brings photos and the engine together: what waits is classified, what is out of date is scored again. */

import { EcorError } from "../ecor";
import type { Answer, Ecor, LabelsInfo, Pack, Timings } from "../api";
import { readHeader } from "../header";
import { formatPack } from "../labels";
import { keptCategories, keptRationales } from "../review/answers";
import type { Review } from "../review/review";
import type { Session } from "../review/session";
import type { Item, Method, Reason } from "../review/types";
import * as strings from "../strings";
import { thumbnailSide, type Thumbnails } from "./thumbnails";

const rateWindow = 15; // seconds over which the speed is measured

export interface Progress {
  kind: "photos" | "scores"; // looking at photos, or scoring known ones again
  done: number; // since there was nothing to do
  all: number;
  perSecond: number; // 0 where unknown
  secondsLeft: number;
  paused: boolean;
}

/** What was done since there was nothing to do before. */
export interface Finished {
  photos: number; // that were looked at
  failed: number;
  seconds: number;
  cancelled: boolean;
}

export interface RunnerEvents {
  /** Something about progress has changed. */
  onProgress(): void;
  /** Nothing is left to do. */
  onFinished(run: Finished): void;
  /** A photo can be named before its answer is whole. */
  onFirst(id: number): void;
  /** The engine stopped at a photo, twice. */
  onStopped(): void;
}

export class Runner {
  /** Ids of what is in the engine. */
  private readonly running = new Map<number, AbortController>();
  private readonly revisions = new WeakMap<Pack, number>();
  private readonly timings = new Map<number, Timings>();
  private readonly firsts = new Map<number, string>();
  private readonly finishes: number[] = []; // times, the latest ones
  private preferred = 0;
  private started = 0; // time, 0 where nothing is done
  private done = 0;
  private photos = 0;
  private failed = 0;
  private paused = false;
  private cancelled = false;
  private begun = false; // start was called

  constructor(
    private readonly ecor: Ecor,
    private readonly review: Review,
    private readonly session: Session,
    private readonly thumbnails: Thumbnails,
    private readonly events: RunnerEvents,
  ) {
    review.on("items", (ids) => {
      for (const id of ids) {
        if (!review.get(id)) {
          this.running.get(id)?.abort();
          this.timings.delete(id);
        }
      }
      this.fill();
    });
    review.on("wanted", () => this.fill());
  }

  get busy(): boolean {
    return this.started > 0;
  }

  /** Whether photos are scored by the model that is loaded. */
  get ready(): boolean {
    return this.begun;
  }

  /** What the engine measured when it looked at a photo in this visit. */
  timingsOf(id: number): Timings | undefined {
    return this.timings.get(id);
  }

  /** The category at first sight of a photo that is in work. */
  firstSight(id: number): string | undefined {
    return this.firsts.get(id);
  }

  /** Takes an item before the others. */
  prefer(id: number): void {
    this.preferred = id;
  }

  progress(): Progress {
    const { toClassify, toScore } = this.review;
    const left = toClassify.size + toScore.size + this.runningPhotos();
    const perSecond = this.rate();
    return {
      kind: this.photos > 0 || toClassify.size > 0 || this.runningPhotos() > 0 ? "photos" : "scores",
      done: this.done,
      all: this.done + left,
      perSecond,
      secondsLeft: perSecond > 0 ? left / perSecond : 0,
      paused: this.paused,
    };
  }

  private runningPhotos(): number {
    let n = 0;
    for (const id of this.running.keys()) {
      n += this.review.get(id)?.state === "working" ? 1 : 0;
    }
    return n;
  }

  private rate(): number {
    const now = performance.now();
    while (this.finishes.length > 0 && now - this.finishes[0]! > 1000 * rateWindow) {
      this.finishes.shift();
    }
    const span = (now - Math.max(this.started, now - 1000 * rateWindow)) / 1000;
    return this.finishes.length >= 3 && span > 0.5 ? this.finishes.length / span : 0;
  }

  /** Gives the engine nothing more until resume or until nothing is left; what it has it finishes. Returns whether there is anything to pause. */
  pause(): boolean {
    this.paused = this.busy;
    this.events.onProgress();
    return this.paused;
  }

  resume(): void {
    this.paused = false;
    this.fill();
    this.events.onProgress();
  }

  /** Ends what is in work and what waits; returns the photos that were not done. */
  cancel(): readonly number[] {
    const ids = [...this.review.toClassify, ...this.running.keys()].filter((id) => this.review.get(id)?.embedding === undefined);
    const reason: Reason = { kind: "cancelled", message: strings.photo.cancelled };
    this.cancelled = true;
    this.paused = false;
    this.review.batch(() => ids.forEach((id) => this.review.update(id, { state: "failed", reason })));
    this.running.forEach((controller) => controller.abort());
    this.fill();
    return ids;
  }

  /** Puts photos that failed, or whose files could not be read, back into the queue. */
  retry(ids: Iterable<number>): void {
    this.review.batch(() => {
      for (const id of ids) {
        const item = this.review.get(id);
        if (item && mayBeTriedAgain(item)) {
          this.review.update(id, { state: "waiting", reason: undefined });
        }
      }
    });
  }

  /**
   * Begins with the model that is loaded, from a file of the given name or ""
   * for the shipped one, and with its labels; answers of other labels are out of
   * date. Returns how many answers of other weights were dropped.
   */
  start(file: string, shippedLabels: boolean): number {
    const dropped = this.session.useModel(this.ecor.model.sha256, file);
    this.labelsAre(this.ecor.labels, shippedLabels);
    this.begun = true;
    this.fill();
    return dropped;
  }

  /** Puts labels to use. */
  async useLabels(pack: Pack, shipped: boolean): Promise<LabelsInfo> {
    const info = await this.ecor.setLabels(pack);
    this.labelsAre(pack, shipped);
    return info;
  }

  private labelsAre(pack: Pack, shipped: boolean): void {
    this.session.useLabels(formatPack(pack), shipped);
    this.revisions.set(pack, this.review.labels);
  }

  /** Looks at all photos again after another model was opened from a file. */
  startAgain(file: string): void {
    this.review.batch(() =>
      this.running.forEach((controller, id) => {
        controller.abort();
        if (this.review.get(id)?.state === "working") {
          this.review.update(id, { state: "waiting" });
        }
      }),
    );
    this.timings.clear();
    this.session.useModel(this.ecor.model.sha256, file);
  }

  /** Scores a known photo by a method, beside all other work. */
  async compare(item: Item, method: Method): Promise<Answer> {
    const { answer } = await this.ecor.classify(item.embedding!, { method, top: keptCategories, topRationales: keptRationales, priority: 2 });
    return answer;
  }

  /** Gives the engine as much as it can take, and says so where nothing is left to do. */
  private fill(): void {
    const { mostWorkers } = this.ecor.stats;
    while (this.begun && !this.paused && this.running.size < 2 * mostWorkers) {
      const id = this.next();
      if (id === undefined) {
        break;
      }
      if (this.started === 0) {
        this.started = performance.now();
        this.done = this.photos = this.failed = 0;
        this.cancelled = false;
        this.finishes.length = 0;
      }
      const controller = new AbortController();
      this.running.set(id, controller);
      void this.run(id, controller.signal).finally(() => {
        this.running.delete(id);
        this.firsts.delete(id);
        this.done++;
        this.finishes.push(performance.now());
        this.fill();
      });
    }
    this.settle();
    this.events.onProgress();
  }

  private next(): number | undefined {
    const { toScore, toClassify } = this.review;
    if ((toScore.has(this.preferred) || toClassify.has(this.preferred)) && !this.running.has(this.preferred)) {
      return this.preferred;
    }
    for (const ids of [toScore, toClassify]) {
      for (const id of ids) {
        if (!this.running.has(id)) {
          return id;
        }
      }
    }
    return undefined;
  }

  private settle(): void {
    if (this.running.size === 0 && this.started > 0 && this.next() === undefined) {
      const seconds = (performance.now() - this.started) / 1000;
      this.started = 0;
      this.paused = false;
      this.events.onFinished({ photos: this.photos, failed: this.failed, seconds, cancelled: this.cancelled });
    }
  }

  private async run(id: number, signal: AbortSignal): Promise<void> {
    const item = this.review.get(id);
    if (!item) {
      return;
    }
    try {
      if (item.embedding) {
        await this.score(item, signal);
      } else {
        this.photos++;
        await this.look(item, signal);
      }
    } catch (e) {
      if (!signal.aborted) {
        this.fail(id, "failed", e);
      }
    }
  }

  private async score(item: Item, signal: AbortSignal): Promise<void> {
    const { method } = this.review;
    const { answer, labels, embedding } = await this.ecor.classify(item.embedding!, {
      method, signal, top: keptCategories, topRationales: keptRationales, priority: item.id === this.preferred ? 1 : 0,
    });
    this.review.answered(item.id, { ...answer, imageEmbedding: embedding }, this.revisionOf(labels));
  }

  private async look(item: Item, signal: AbortSignal): Promise<void> {
    const { id } = item;
    this.review.update(id, { state: "working" });
    let file: File;
    try {
      const source = this.review.source(id);
      if (!source) {
        return;
      }
      file = await source.file();
      if (item.size === 0 && file.size > 0) {
        this.review.moved(id, { ...item, size: file.size, modified: file.lastModified, source }); // it could not be read when it was found
      }
    } catch (e) {
      return this.fail(id, "unreadable", e);
    }
    try {
      await readHeader(file);
    } catch (e) {
      return this.fail(id, file.size === 0 ? "empty" : "refused", e);
    }
    const { method } = this.review;
    const { answer, labels, embedding, timings } = await this.ecor.classify(file, {
      method,
      signal,
      top: keptCategories,
      topRationales: keptRationales,
      thumbnail: thumbnailSide,
      onDecoded: ({ width, height, thumbnail }) => {
        if (thumbnail) {
          this.thumbnails.put(id, thumbnail);
        }
        this.review.update(id, { width, height });
      },
      onFirst: (first) => {
        this.firsts.set(id, first.categories[0]?.category ?? "");
        this.events.onFirst(id);
      },
    });
    this.timings.set(id, timings);
    this.review.answered(id, { ...answer, imageEmbedding: embedding }, this.revisionOf(labels));
  }

  /** Answers with labels that are unknown here are out of date. */
  private revisionOf(labels: Pack): number {
    return this.revisions.get(labels) ?? 0;
  }

  private fail(id: number, kind: Reason["kind"], e: unknown): void {
    this.failed++;
    const message = e instanceof Error ? e.message : String(e);
    const skipped = kind === "empty" || kind === "refused";
    this.review.update(id, { state: skipped ? "skipped" : "failed", reason: { kind, message } });
    if (e instanceof EcorError && e.kind === "dead") {
      this.events.onStopped();
    }
  }
}

/** Whether a photo has no answer for a reason that may be gone. */
export function mayBeTriedAgain({ state, reason }: Item): boolean {
  return state === "failed" || (state === "skipped" && reason?.kind === "unreadable");
}
