/** Deletes all that a site keeps in the browser, and counts it. */

import * as strings from "../strings";
import { databaseName, result } from "./store";
import type { Deleted, Wiped } from "./types";

/** What belongs to the site: others may live on the same origin. */
export interface Site {
  base: string; // URL of its folder, ending in "/"
  cachePrefix: string; // what the names of its caches begin with
  storagePrefix?: string; // what its keys in local and session storage begin with
}

/**
 * Deletes the site's database, service worker, caches and storage, and says
 * what that was, and what could not be deleted. Close the session before, with
 * close(true).
 */
export async function deleteEverything({ base, cachePrefix, storagePrefix = "ecor" }: Site): Promise<Wiped> {
  const steps = [
    () => deleteDatabase(databaseName(base)),
    () => deleteWorkers(base),
    () => deleteCaches(cachePrefix),
    async () => deleteStorage(storagePrefix),
  ];
  const deleted: Deleted[] = [];
  const problems: string[] = [];
  for (const step of steps) {
    try {
      deleted.push(...(await step()));
    } catch (e) {
      problems.push(e instanceof Error ? e.message : String(e));
    }
  }
  return { deleted, problems };
}

const installTime = 20_000; // milliseconds

const meanings: Readonly<Record<string, Deleted["what"]>> = {
  marks: "decisions",
  items: "photos",
  images: "images",
  folders: "folders",
  info: "settings",
};

async function deleteDatabase(name: string): Promise<Deleted[]> {
  const factory = (globalThis as { indexedDB?: IDBFactory }).indexedDB;
  if (!factory || !(await exists(factory, name))) {
    return [];
  }
  const deleted = await countRecords(factory, name);
  await new Promise<void>((resolve, reject) => {
    const request = factory.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error ?? new Error(strings.wipe.refused));
    // Other tabs close it when they hear of this; they may need a moment.
    request.onblocked = () =>
      setTimeout(() => reject(new Error(strings.wipe.inUse)), 5000);
  });
  return deleted;
}

async function exists(factory: IDBFactory, name: string): Promise<boolean> {
  return !factory.databases || (await factory.databases()).some((db) => db.name === name);
}

/** Counts the records of each kind and their bytes. */
async function countRecords(factory: IDBFactory, name: string): Promise<Deleted[]> {
  const db = await result(factory.open(name));
  try {
    const out: Deleted[] = [];
    for (const store of db.objectStoreNames) {
      const sum: Deleted = { what: meanings[store] ?? "settings", name: "", count: 0, bytes: 0 };
      await eachRecord(db.transaction(store).objectStore(store), (record) => {
        sum.count++;
        sum.bytes += sizeOf(record);
      });
      if (sum.count > 0) {
        out.push(sum);
      }
    }
    return out;
  } finally {
    db.close();
  }
}

function eachRecord(store: IDBObjectStore, f: (record: unknown) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = store.openCursor();
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor) {
        f(cursor.value);
        cursor.continue();
      } else {
        resolve();
      }
    };
    request.onerror = () => reject(request.error ?? new Error("the database cannot be read"));
  });
}

/** Returns about how many bytes a record takes: its numbers, texts and files. */
function sizeOf(value: unknown): number {
  if (value instanceof Blob) {
    return value.size;
  }
  if (ArrayBuffer.isView(value)) {
    return value.byteLength;
  }
  if (typeof value === "string") {
    return new TextEncoder().encode(value).length;
  }
  if (typeof value === "object" && value !== null) {
    return Object.values(value).reduce((sum: number, v) => sum + sizeOf(v), 0);
  }
  return value === undefined || value === null ? 0 : 8;
}

async function deleteCaches(prefix: string): Promise<Deleted[]> {
  const storage = (globalThis as { caches?: CacheStorage }).caches;
  const out: Deleted[] = [];
  for (const name of (await storage?.keys()) ?? []) {
    if (storage && name.startsWith(prefix)) {
      const cache = await storage.open(name);
      const responses = await cache.matchAll();
      let bytes = 0;
      for (const response of responses) {
        bytes += (await response.blob()).size;
      }
      await storage.delete(name);
      out.push({ what: "cache", name, count: responses.length, bytes });
    }
  }
  return out;
}

async function deleteWorkers(base: string): Promise<Deleted[]> {
  const container = (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker;
  const out: Deleted[] = [];
  for (const registration of (await container?.getRegistrations()) ?? []) {
    if (registration.scope !== base) {
      continue;
    }
    await installed(registration.installing);
    if (await registration.unregister()) {
      out.push({ what: "service worker", name: registration.scope, count: 1, bytes: 0 });
    }
  }
  return out;
}

/** Waits until a service worker has filled its cache, or has given up; not for ever. */
async function installed(worker: ServiceWorker | null): Promise<void> {
  if (worker?.state === "installing") {
    await new Promise((resolve) => {
      worker.onstatechange = resolve;
      setTimeout(resolve, installTime);
    });
  }
}

function deleteStorage(prefix: string): Deleted[] {
  const out: Deleted[] = [];
  for (const area of ["localStorage", "sessionStorage"] as const) {
    let storage: Storage;
    try {
      storage = globalThis[area]; // throws where the user has switched it off
    } catch {
      continue;
    }
    for (const key of Object.keys(storage).filter((key) => key.startsWith(prefix))) {
      out.push({ what: "storage", name: key, count: 1, bytes: sizeOf(key) + sizeOf(storage.getItem(key)) });
      storage.removeItem(key);
    }
  }
  return out;
}
