/** Sorts files into folders by category: on disk where the browser can write there, else in a ZIP file. */

import * as strings from "../strings";
import { digest } from "./digest";
import { fileProblem, type Handle } from "./files";
import { safeName, Taken } from "./names";
import type { Review } from "./review";
import { categoryOf } from "./tally";
import type { Source } from "./types";
import { crcOf, ZipWriter, type Sink } from "./zip";

/** Where one file is to go. */
export interface Place {
  id: number;
  folder: string;
  name: string;
}

export const uncategorised = "uncategorised";

/**
 * Returns a safe name for every item, unique in its folder: that of its
 * category, or of the decision about it.
 */
export function places(review: Review, ids: Iterable<number>, by: "category" | "decision" = "category"): Place[] {
  const folders = new Map<string, { name: string; taken: Taken }>();
  const takenFolders = new Taken();
  const out: Place[] = [];
  for (const id of ids) {
    const item = review.get(id);
    if (!item) {
      continue;
    }
    const group = by === "decision" ? item.decision : categoryOf(item) || uncategorised;
    let folder = folders.get(group);
    if (!folder) {
      folder = { name: takenFolders.take(safeName(group, uncategorised)), taken: new Taken() };
      folders.set(group, folder);
    }
    out.push({ id, folder: folder.name, name: folder.taken.take(safeName(item.name)) });
  }
  return out;
}

/** What became of one file. */
export interface Sorted extends Place {
  /**
   * "there": the file lies in its place already. "copied" is also said where a
   * move could not delete the original; problem then says why.
   */
  result: "copied" | "moved" | "there" | "failed";
  problem: string; // a sentence, "" where all went well
}

export interface SortOptions {
  move?: boolean; // copy, read the copy back, compare, then delete the original
  signal?: AbortSignal;
  onProgress?: (done: number, all: number) => void;
}

/**
 * Copies or moves files into folders below target. Existing files are never
 * overwritten: a file whose name is there already gets another one. A file
 * that fails does not stop the others; where signal aborts, what was done
 * until then is returned.
 */
export async function sortInto(target: FileSystemDirectoryHandle, review: Review, plan: readonly Place[], options: SortOptions = {}): Promise<Sorted[]> {
  const { move = false, signal, onProgress } = options;
  const out: Sorted[] = [];
  const folders = new Map<string, Folder>();
  for (const place of plan) {
    if (signal?.aborted) {
      break;
    }
    try {
      let folder = folders.get(place.folder);
      if (!folder) {
        folder = await openFolder(target, place.folder);
        folders.set(place.folder, folder);
      }
      out.push(await sortOne(folder, review, place, move));
    } catch (e) {
      out.push({ ...place, result: "failed", problem: fileProblem(e) });
    }
    onProgress?.(out.length, plan.length);
  }
  return out;
}

interface Folder {
  handle: FileSystemDirectoryHandle;
  path: string; // as it is found where the target is opened
  taken: Taken;
}

async function openFolder(target: FileSystemDirectoryHandle, name: string): Promise<Folder> {
  return { handle: await target.getDirectoryHandle(name, { create: true }), path: `${target.name}/${name}`, taken: new Taken() };
}

async function sortOne(folder: Folder, review: Review, place: Place, move: boolean): Promise<Sorted> {
  const source = review.source(place.id);
  if (!source) {
    throw new Error(strings.files.missing);
  }
  const file = await source.file();
  let name = folder.taken.take(place.name);
  for (let there = await find(folder.handle, name); there; there = await find(folder.handle, name)) {
    if (source.handle && there !== "folder" && (await there.isSameEntry(source.handle))) {
      return { ...place, name, result: "there", problem: "" };
    }
    name = folder.taken.take(place.name);
  }
  const copy = await copyTo(folder.handle, name, file);
  if (!move) {
    return { ...place, name, result: "copied", problem: "" };
  }
  try {
    await deleteOriginal(source, file);
  } catch (e) {
    return { ...place, name, result: "copied", problem: strings.files.notDeleted(fileProblem(e)) };
  }
  const { size, lastModified: modified } = await copy.getFile();
  const there: Source = { file: () => copy.getFile(), handle: copy, parent: folder.handle };
  review.moved(place.id, { name, path: `${folder.path}/${name}`, size, modified, source: there });
  return { ...place, name, result: "moved", problem: "" };
}

/** Looks for a file or folder of a name. */
async function find(folder: FileSystemDirectoryHandle, name: string): Promise<FileSystemFileHandle | "folder" | undefined> {
  try {
    return await folder.getFileHandle(name);
  } catch (e) {
    switch (e instanceof DOMException && e.name) {
      case "NotFoundError":
        return undefined;
      case "TypeMismatchError":
        return "folder";
    }
    throw e;
  }
}

/** Writes a copy and reads it back. Nothing is left behind where that fails. */
async function copyTo(folder: FileSystemDirectoryHandle, name: string, file: File): Promise<FileSystemFileHandle> {
  const handle = await folder.getFileHandle(name, { create: true });
  try {
    const writable = await handle.createWritable();
    try {
      await writable.write(file);
      await writable.close();
    } catch (e) {
      await writable.abort().catch(() => undefined);
      throw e;
    }
    const copy = await handle.getFile();
    if (copy.size !== file.size || (await digest(copy)) !== (await digest(file))) {
      throw new Error(strings.files.differs);
    }
    return handle;
  } catch (e) {
    await folder.removeEntry(name).catch(() => undefined);
    throw e;
  }
}

/** Deletes a file that was copied, unless it has changed since. */
async function deleteOriginal({ handle, parent, file }: Source, copied: File): Promise<void> {
  if (!handle) {
    throw new Error(strings.files.noRight);
  }
  const now = await file();
  if (now.size !== copied.size || now.lastModified !== copied.lastModified) {
    throw new Error(strings.files.changed);
  }
  const { remove } = handle as unknown as Handle;
  if (parent) {
    await parent.removeEntry(handle.name);
  } else if (remove) {
    await remove.call(handle);
  } else {
    throw new Error(strings.files.noFolder);
  }
}

/** Writes the files into a ZIP file, uncompressed, in the order of the plan. */
export async function zipInto(sink: Sink, review: Review, plan: readonly Place[], { signal, onProgress }: Omit<SortOptions, "move"> = {}): Promise<Sorted[]> {
  const zip = new ZipWriter(sink);
  const out: Sorted[] = [];
  for (const place of plan) {
    signal?.throwIfAborted();
    let file: File;
    let crc: number;
    try {
      const source = review.source(place.id);
      if (!source) {
        throw new Error(strings.files.missing);
      }
      file = await source.file();
      crc = await crcOf(file, signal);
    } catch (e) {
      signal?.throwIfAborted();
      out.push({ ...place, result: "failed", problem: fileProblem(e) });
      onProgress?.(out.length, plan.length);
      continue;
    }
    await zip.add(`${place.folder}/${place.name}`, new Date(file.lastModified), file, crc);
    out.push({ ...place, result: "copied", problem: "" });
    onProgress?.(out.length, plan.length);
  }
  await zip.finish();
  return out;
}

/** Collects a file in a Blob that refers to the files in it, so that memory holds only what is between them. */
export class BlobSink implements Sink {
  private readonly parts: (Uint8Array<ArrayBuffer> | Blob)[] = [];

  async write(part: Uint8Array<ArrayBuffer> | Blob): Promise<void> {
    this.parts.push(part);
  }

  blob(): Blob {
    return new Blob(this.parts, { type: "application/zip" });
  }
}
