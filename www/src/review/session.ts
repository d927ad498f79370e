/** Keeps a review between visits: what is decided at once, the rest soon, many items at a time. */

import { parsePack } from "../labels";
import * as strings from "../strings";
import { mayUse } from "./files";
import { compareLabels } from "./labels";
import { marksOf, sameMarks, unmarked, type Review } from "./review";
import { openStore } from "./store";
import type { Item, OnProblem, SessionInfo, SessionStore, Source, StoredItem, StoredMarks } from "./types";

const itemsAtOnce = 100; // in one transaction
const delay = 500; // milliseconds until what has changed is written

export class Session {
  private written = new Map<number, Item>(); // as it was seen last, to find what has changed
  private readonly dirty = new Set<number>();
  private removed: number[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private writing: Promise<void> = Promise.resolve();
  private deciding: Promise<unknown> = Promise.resolve();
  private readonly leave: (() => void)[];
  private asked = false; // whether the browser may keep all this for good

  private constructor(
    private readonly review: Review,
    private readonly store: SessionStore,
    private current: SessionInfo,
    private readonly kept: Set<number>, // ids whose image bytes are kept
    private handles: FileSystemDirectoryHandle[],
  ) {
    for (const item of review.items()) {
      this.written.set(item.id, item);
    }
    const hide = () => void this.flush();
    addEventListener("pagehide", hide);
    this.leave = [
      review.on("items", (ids) => this.follow(ids)),
      review.on("wanted", () => this.wanted()),
      () => removeEventListener("pagehide", hide),
    ];
  }

  /** Opens the session of a database name and puts what was kept into an empty review. */
  static async open(name: string, review: Review, onProblem: OnProblem): Promise<Session> {
    let session: Session | undefined;
    const store = await openStore(name, (problem, detail) => {
      if (problem === "images") {
        session?.imagesAreGone();
      }
      onProblem(problem, detail);
    });
    const stored = await store.load();
    const info = { ...fresh(review), ...stored.info };
    review.useLabels(info.revision);
    review.useMethod(info.method);
    await restore(review, store, stored.marks);
    session = new Session(review, store, info, new Set(stored.images), stored.folders);
    for (const id of stored.images) {
      review.attach(id, session.keptImage(id));
    }
    return session;
  }

  /** Whether anything is being kept. */
  get works(): boolean {
    return this.store.works;
  }

  get info(): SessionInfo {
    return this.current;
  }

  /** Folders of an earlier visit and of this one; see openAgain. */
  get folders(): readonly FileSystemDirectoryHandle[] {
    return this.handles;
  }

  /** Remembers settings of the page. */
  setSettings(settings: Record<string, unknown>): void {
    this.setInfo({ settings: { ...this.current.settings, ...settings } });
  }

  /** Name of the weights file that somebody opened for the answers that are kept, where those weights are not the given ones; else "". */
  awaitedModel(sha256: string): string {
    const { model, modelFile } = this.current;
    return model !== sha256 && [...this.review.items()].some((item) => item.embedding) ? modelFile : "";
  }

  /**
   * Says which weights are in use, and the name of the file that they were
   * opened from, "" for shipped ones. Answers of other weights are dropped;
   * returns how many.
   */
  useModel(sha256: string, modelFile = ""): number {
    const other = this.current.model !== "" && this.current.model !== sha256;
    const dropped = other ? this.review.dropAnswers() : 0;
    this.setInfo({ model: sha256, modelFile });
    return dropped;
  }

  /**
   * Says which labels are in use, as a label pack's JSON. Answers that depend on
   * what has changed are out of date from now on.
   */
  useLabels(labels: string, shipped: boolean): void {
    const revision = this.review.useLabels(this.current.revision + (sameAnswers(this.current.labels, labels) ? 0 : 1));
    this.setInfo({ labels, shipped, revision });
  }

  /** Remembers a folder, so that it can be opened again without looking for it. */
  async addFolder(folder: FileSystemDirectoryHandle): Promise<void> {
    for (const known of this.handles) {
      if (await known.isSameEntry(folder)) {
        return;
      }
    }
    this.handles.push(folder);
    await this.store.write({ folders: [folder] });
  }

  /** Forgets the folders. */
  forgetFolders(): void {
    this.handles = [];
    void this.store.write({ noFolders: true });
  }

  /**
   * Returns the remembered folders that may be read, and asks for each where
   * ask is set; that works only while the browser handles a click or key.
   */
  async openAgain(ask: boolean): Promise<FileSystemDirectoryHandle[]> {
    const open: FileSystemDirectoryHandle[] = [];
    for (const folder of this.handles) {
      if (await mayUse(folder, "read", ask).catch(() => false)) {
        open.push(folder);
      }
    }
    return open;
  }

  /** Keeps the bytes of all photos from now on, or those of none. */
  async keepImages(on: boolean): Promise<void> {
    this.setInfo({ keepImages: on });
    if (!on) {
      this.forgetImages();
      await this.store.write({ noImages: true });
      return;
    }
    for (const { id } of [...this.review.items()]) {
      if (!this.current.keepImages) {
        return;
      }
      await this.keepImage(id);
    }
  }

  /** The store had no space for images. */
  private imagesAreGone(): void {
    this.forgetImages();
    this.setInfo({ keepImages: false });
  }

  /** Photos of which there is only what was kept are not at hand any more. */
  private forgetImages(): void {
    this.kept.clear();
    this.review.batch(() => {
      for (const { id } of [...this.review.items()]) {
        if (this.review.source(id)?.kept) {
          this.review.detach(id);
        }
      }
    });
  }

  /** Resolves when every decision made so far is on disk. */
  async decided(): Promise<void> {
    await this.deciding;
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.writeAll());
    await this.writing;
    await this.deciding;
  }

  /** Ends keeping; what waits is written first unless it is to be thrown away. */
  async close(throwAway = false): Promise<void> {
    this.leave.forEach((f) => f());
    clearTimeout(this.timer);
    if (!throwAway) {
      await this.flush();
    }
    this.store.close();
  }

  private setInfo(patch: Partial<SessionInfo>): void {
    this.current = { ...this.current, ...patch };
    void this.store.write({ info: this.current });
  }

  private wanted(): void {
    if (this.review.method !== this.current.method) {
      this.setInfo({ method: this.review.method });
    }
  }

  private follow(ids: ReadonlySet<number>): void {
    const marks: StoredMarks[] = [];
    for (const id of ids) {
      const before = this.written.get(id);
      const item = this.review.get(id);
      if (!item) {
        this.written.delete(id);
        this.dirty.delete(id);
        this.kept.delete(id);
        this.removed.push(id);
        continue;
      }
      this.written.set(id, item);
      if (before ? !sameMarks(before, item) : !sameMarks(item, unmarked)) {
        marks.push(storedMarks(item));
      }
      if (!before || !sameFacts(before, item)) {
        this.dirty.add(id);
      }
      if (this.current.keepImages && !before) {
        void this.keepImage(id);
      }
    }
    if (marks.length > 0) {
      this.persist();
      const before = this.deciding;
      const write = this.store.write({ marks, durable: true });
      this.deciding = before.then(() => write);
    }
    if ((this.dirty.size > 0 || this.removed.length > 0) && this.timer === undefined) {
      this.timer = setTimeout(() => void this.flush(), delay);
    }
  }

  /** Asks the browser, once, not to delete what is kept where space runs short. */
  private persist(): void {
    if (!this.asked && this.works) {
      this.asked = true;
      const { storage } = navigator as { storage?: StorageManager };
      void storage?.persist?.().catch(() => undefined);
    }
  }

  private async writeAll(): Promise<void> {
    const removed = this.removed;
    this.removed = [];
    if (removed.length > 0) {
      await this.store.write({ removed });
    }
    const ids = [...this.dirty];
    this.dirty.clear();
    for (let at = 0; at < ids.length; at += itemsAtOnce) {
      const some = ids.slice(at, at + itemsAtOnce).map((id) => this.review.stored(id));
      await this.store.write({ items: some.filter((item): item is StoredItem => item !== undefined) });
    }
  }

  private async keepImage(id: number): Promise<void> {
    const source = this.review.source(id);
    if (!source || this.kept.has(id)) {
      return;
    }
    try {
      const file = await source.file();
      if (this.current.keepImages && this.review.get(id) && (await this.store.write({ images: [[id, file]] })) && this.current.keepImages) {
        this.kept.add(id);
      }
    } catch {
      // A file that cannot be read now is not kept; classifying it says so.
    }
  }

  private keptImage(id: number): Source {
    return {
      kept: true,
      file: async () => {
        const image = await this.store.image(id);
        const { name = "", modified = 0 } = this.review.get(id) ?? {};
        if (!image) {
          throw new DOMException(strings.files.noImage, "NotFoundError");
        }
        return new File([image], name, { type: image.type, lastModified: modified });
      },
    };
  }
}

function fresh(review: Review): SessionInfo {
  const { labels: revision, method } = review;
  return { created: Date.now(), model: "", modelFile: "", labels: "", shipped: true, revision, method, keepImages: false, settings: {} };
}

/** Whether two label packs' JSON give the same answers. */
function sameAnswers(before: string, after: string): boolean {
  if (before === after) {
    return true;
  }
  try {
    return !compareLabels(parsePack(before), parsePack(after)).answers;
  } catch {
    return false; // none was kept, or one that an older version of the page took
  }
}

function storedMarks(item: Item): StoredMarks {
  const { id, name, path, size, modified } = item;
  return { id, name, path, size, modified, ...marksOf(item) };
}

/** Whether what is kept of two states of an item, apart from marks, is the same. */
function sameFacts(a: Item, b: Item): boolean {
  const keys = ["name", "path", "modified", "width", "height", "reason", "embedding", "best", "content", "duplicateOf"] as const;
  const state = (item: Item) => (item.state === "working" ? "waiting" : item.state);
  return state(a) === state(b) && keys.every((key) => a[key] === b[key]);
}

/** Puts what was kept into an empty review. A decision whose item was not written makes the item again. */
async function restore(review: Review, store: SessionStore, marks: readonly StoredMarks[]): Promise<void> {
  const left = new Map(marks.map((m) => [m.id, m]));
  for await (const items of store.items()) {
    review.restore(items, left);
    items.forEach(({ id }) => left.delete(id));
  }
  const again = [...left.values()].map(({ id, name, path, size, modified }): StoredItem => ({
    id, name, path, size, modified, width: 0, height: 0, state: "waiting", reason: undefined,
    embedding: undefined, answer: undefined, content: "", duplicateOf: 0,
  }));
  review.restore(again, left);
}
