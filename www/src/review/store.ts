/** The session store: IndexedDB, held by one tab at a time. */

import type { OnProblem, SessionInfo, SessionStore, StoredItem, StoredMarks, StoredSession, StoreProblem, Write } from "./types";

const currentVersion = 1;
const stores = ["info", "items", "marks", "images", "folders"] as const;
type StoreName = (typeof stores)[number];

const itemsAtOnce = 200; // read in one go
const marksAtOnce = 1000; // written in one go
const lockTries = 20; // until another tab is believed to keep the session
const lockPause = 100; // milliseconds between them

/** Name of the database of a site whose folder has the URL base. */
export function databaseName(base: string): string {
  return `ecor ${new URL(base).pathname}`;
}

/** Opens the session store of a name. One that does not work keeps nothing. */
export async function openStore(name: string, onProblem: OnProblem, version = currentVersion): Promise<SessionStore> {
  const told = new Set<StoreProblem>();
  const tell: OnProblem = (problem, detail) => {
    if (!told.has(problem) || problem === "images") {
      told.add(problem);
      onProblem(problem, detail);
    }
  };
  const release = await lock(name);
  if (!release) {
    tell("in use", "");
    return nothing;
  }
  try {
    return new Store(await openDatabase(name, version), tell, release);
  } catch (e) {
    release();
    tell(problemOf(e), String(e));
    return nothing;
  }
}

/** Keeps nothing. */
const nothing: SessionStore = {
  works: false,
  load: async () => ({ info: undefined, marks: [], images: [], folders: [] }),
  items: async function* () {},
  write: async () => false,
  image: async () => undefined,
  close: () => {},
};

/** Takes the session for this tab. Returns what gives it back, or undefined where another tab has it. */
async function lock(name: string): Promise<(() => void) | undefined> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (!locks) {
    return () => {};
  }
  // A tab that is being reloaded gives its lock back soon. Tries are counted,
  // not timed: on a busy device an answer alone may take seconds.
  for (let tries = lockTries; ; tries--) {
    const release = await tryLock(locks, name);
    if (release || tries === 0) {
      return release;
    }
    await new Promise((resolve) => setTimeout(resolve, lockPause));
  }
}

function tryLock(locks: LockManager, name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => (lock ? new Promise<void>((release) => resolve(release)) : resolve(undefined)))
      .catch(() => resolve(() => {}));
  });
}

class Problem extends Error {
  constructor(
    readonly kind: StoreProblem,
    message: string,
  ) {
    super(message);
  }
}

function problemOf(e: unknown): StoreProblem {
  if (e instanceof Problem) {
    return e.kind;
  }
  switch ((e as Error | null)?.name) {
    case "QuotaExceededError":
      return "quota";
    case "VersionError":
      return "newer";
    case "SecurityError":
    case "InvalidStateError":
      return "unavailable"; // so private modes say it
    default:
      return "failed";
  }
}

function openDatabase(name: string, version: number): Promise<IDBDatabase> {
  const factory = (globalThis as { indexedDB?: IDBFactory }).indexedDB;
  if (!factory) {
    throw new Problem("unavailable", "this browser has no IndexedDB here");
  }
  return new Promise((resolve, reject) => {
    const request = factory.open(name, version);
    let given = false;
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("info");
      db.createObjectStore("items", { keyPath: "id" });
      db.createObjectStore("marks", { keyPath: "id" });
      db.createObjectStore("images");
      db.createObjectStore("folders", { autoIncrement: true });
    };
    request.onblocked = () => {
      given = true;
      reject(new Problem("blocked", "another tab holds an older version of the database"));
    };
    request.onsuccess = () => {
      if (given) {
        request.result.close();
      } else {
        resolve(request.result);
      }
    };
    request.onerror = () => reject(request.error ?? new Error("the database cannot be opened"));
  });
}

class Store implements SessionStore {
  works = true;
  private full = false; // no space for more than decisions
  private images = false; // some are kept, as far as is known

  constructor(
    private readonly db: IDBDatabase,
    private readonly tell: OnProblem,
    private readonly release: () => void,
  ) {
    db.onversionchange = () => this.stop("closed", "another tab deletes or changes the database");
    db.onclose = () => this.stop("closed", "the browser closed the database");
  }

  async load(): Promise<StoredSession> {
    try {
      const t = this.db.transaction(stores);
      const [info, marks, images, folders] = await Promise.all([
        result(t.objectStore("info").get("info")) as Promise<SessionInfo | undefined>,
        result(t.objectStore("marks").getAll()) as Promise<StoredMarks[]>,
        result(t.objectStore("images").getAllKeys()) as Promise<number[]>,
        result(t.objectStore("folders").getAll()) as Promise<FileSystemDirectoryHandle[]>,
      ]);
      this.images = images.length > 0;
      return { info, marks, images, folders };
    } catch (e) {
      this.giveUp(e);
      return nothing.load();
    }
  }

  async *items(): AsyncIterable<StoredItem[]> {
    try {
      for (let last = 0; ; ) {
        const t = this.db.transaction("items");
        const some = (await result(t.objectStore("items").getAll(IDBKeyRange.lowerBound(last, true), itemsAtOnce))) as StoredItem[];
        if (some.length === 0) {
          return;
        }
        yield some;
        last = some[some.length - 1]!.id;
      }
    } catch (e) {
      this.giveUp(e);
    }
  }

  /** Ends keeping: what cannot be read must not be written over. */
  private giveUp(e: unknown): void {
    this.stop(problemOf(e), String(e));
  }

  async write(change: Write): Promise<boolean> {
    if (!this.works) {
      return false;
    }
    const { items = [], images = [], durable = false, ...small } = change;
    this.images ||= images.length > 0;
    try {
      await this.put(this.full ? { ...small, images } : change, durable);
      return !(this.full && items.length > 0);
    } catch (e) {
      const problem = problemOf(e);
      if (problem === "quota" && this.images) {
        return (await this.giveUpImages(e)) && this.write({ ...change, images: [] }).then((written) => written && images.length === 0);
      }
      this.tell(problem, String(e));
      // What is decided needs little space and may still fit.
      if (problem === "quota" && !this.full) {
        this.full = true;
        return this.write(change);
      }
      if (problem === "quota" && change.marks) {
        this.tell("failed", String(e)); // even that does not fit
      }
      return false;
    }
  }

  /** Images go first where there is no space: answers and decisions cannot be had again. */
  private async giveUpImages(e: unknown): Promise<boolean> {
    this.images = false;
    try {
      await this.put({ noImages: true }, false);
    } catch (e) {
      this.tell(problemOf(e), String(e));
      return false;
    }
    this.tell("images", String(e));
    return true;
  }

  private async put({ info, items = [], marks = [], images = [], folders = [], removed = [], noImages = false, noFolders = false }: Write, durable: boolean): Promise<void> {
    const t = this.db.transaction(stores, "readwrite", { durability: durable ? "strict" : "relaxed" });
    const done = finished(t);
    try {
      const store = (name: StoreName) => t.objectStore(name);
      if (info) {
        store("info").put(info, "info");
      }
      items.forEach((item) => store("items").put(item));
      for (let at = 0; at < marks.length; at += marksAtOnce) {
        const last = marks.slice(at, at + marksAtOnce).map((m) => store("marks").put(m)).pop()!;
        if (at + marksAtOnce < marks.length) {
          await result(last); // the page may do other things meanwhile
        }
      }
      images.forEach(([id, image]) => store("images").put(image, id));
      if (noFolders) {
        store("folders").clear();
      }
      folders.forEach((folder) => store("folders").add(folder));
      for (const id of removed) {
        (["items", "marks", "images"] as const).forEach((name) => store(name).delete(id));
      }
      if (noImages) {
        store("images").clear();
      }
      t.commit();
    } catch (e) {
      try {
        t.abort();
      } catch {
        // It has ended by itself.
      }
      await done.catch(() => undefined);
      throw e;
    }
    await done;
  }

  async image(id: number): Promise<Blob | undefined> {
    try {
      return (await result(this.db.transaction("images").objectStore("images").get(id))) as Blob | undefined;
    } catch (e) {
      this.tell(problemOf(e), String(e));
      return undefined;
    }
  }

  close(): void {
    this.works = false;
    this.db.close();
    this.release();
  }

  private stop(problem: StoreProblem, detail: string): void {
    if (this.works) {
      this.close();
      this.tell(problem, detail);
    }
  }
}

/** Resolves with a request's result. */
export function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the request failed"));
  });
}

/** Resolves when a transaction has done its work. */
function finished(t: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    t.oncomplete = () => resolve();
    t.onabort = () => reject(t.error ?? new Error("the transaction was aborted"));
  });
}
