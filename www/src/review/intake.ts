/**
 * Finds files in what is dropped, chosen or pasted, whole folders too. Hidden
 * files and those that systems leave in folders are passed over.
 */

import { fileProblem, listFolder } from "./files";
import type { NewItem, Source } from "./types";

/** Told for every file and folder that was passed over or could not be read. */
export interface Watch {
  onIgnored?: (path: string) => void;
  onFolder?: (handle: FileSystemDirectoryHandle) => void; // a chosen or dropped folder, to be kept for a later visit
}

const systemFiles = /^(?:\..*|thumbs\.db|desktop\.ini|__macosx|@eadir)$/i;

/**
 * Returns files as they come from `<input>`; with webkitdirectory they know their
 * folders. Each is looked at when it is taken: browsers ask the disk for its size.
 */
export function* fromFiles(files: Iterable<File>, watch: Watch = {}): Iterable<NewItem> {
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    if (path.includes("/") && path.split("/").slice(1).some((part) => systemFiles.test(part))) {
      watch.onIgnored?.(path);
    } else {
      yield known(file, path, { file: async () => file });
    }
  }
}

function known(file: File, path: string, source: Source): NewItem {
  return { name: file.name, path, size: file.size, modified: file.lastModified, source };
}

function unreadable(name: string, path: string, source: Source, e: unknown): NewItem {
  return { name, path, size: 0, modified: 0, source, state: "skipped", reason: { kind: "unreadable", message: fileProblem(e) } };
}

/**
 * Returns what was dropped or pasted. Call it while the event is handled: the
 * data are gone afterwards. The files come as they are found.
 */
export function fromTransfer(data: DataTransfer, watch: Watch = {}): AsyncIterable<NewItem> {
  const roots = [...data.items].filter((item) => item.kind === "file").map(rootOf);
  return walkRoots(roots, watch);
}

interface Root {
  handle: Promise<FileSystemHandle | null> | undefined; // where the browser has handles
  entry: FileSystemEntry | null;
  file: File | null;
}

function rootOf(item: DataTransferItem): Root {
  const { getAsFileSystemHandle } = item as { getAsFileSystemHandle?: () => Promise<FileSystemHandle | null> };
  // A rejected promise must not be reported as unhandled before its turn.
  const handle = getAsFileSystemHandle?.call(item).catch(() => null);
  return { handle, entry: item.webkitGetAsEntry(), file: item.getAsFile() };
}

async function* walkRoots(roots: readonly Root[], watch: Watch): AsyncIterable<NewItem> {
  for (const { handle, entry, file } of roots) {
    const found = await handle;
    if (found?.kind === "directory") {
      watch.onFolder?.(found as FileSystemDirectoryHandle);
      yield* fromFolder(found as FileSystemDirectoryHandle, watch);
    } else if (found) {
      yield await fromHandle(found as FileSystemFileHandle, found.name, undefined);
    } else if (entry?.isDirectory) {
      yield* walkEntry(entry as FileSystemDirectoryEntry, entry.name, watch);
    } else if (file) {
      yield known(file, file.name, { file: async () => file });
    }
  }
}

/** Returns the files below a folder, in the order of their names. */
export async function* fromFolder(folder: FileSystemDirectoryHandle, watch: Watch = {}, path = folder.name): AsyncIterable<NewItem> {
  const children: (FileSystemFileHandle | FileSystemDirectoryHandle)[] = [];
  try {
    for await (const child of listFolder(folder)) {
      children.push(child);
    }
  } catch (e) {
    yield unreadable(folder.name, path, { file: () => Promise.reject(e) }, e);
  }
  for (const child of children.sort(byName)) {
    const childPath = `${path}/${child.name}`;
    if (systemFiles.test(child.name)) {
      watch.onIgnored?.(childPath);
    } else if (child.kind === "directory") {
      yield* fromFolder(child, watch, childPath);
    } else {
      yield await fromHandle(child, childPath, folder);
    }
  }
}

async function fromHandle(handle: FileSystemFileHandle, path: string, parent: FileSystemDirectoryHandle | undefined): Promise<NewItem> {
  const source: Source = { file: () => handle.getFile(), handle, parent };
  try {
    return known(await handle.getFile(), path, source);
  } catch (e) {
    return unreadable(handle.name, path, source, e);
  }
}

async function* walkEntry(folder: FileSystemDirectoryEntry, path: string, watch: Watch): AsyncIterable<NewItem> {
  const children: FileSystemEntry[] = [];
  try {
    const reader = folder.createReader();
    // A reader gives some entries at a time, and an empty list at the end.
    for (let some; some === undefined || some.length > 0; children.push(...some)) {
      some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    }
  } catch (e) {
    yield unreadable(folder.name, path, { file: () => Promise.reject(e) }, e);
  }
  for (const child of children.sort(byName)) {
    const childPath = `${path}/${child.name}`;
    if (systemFiles.test(child.name)) {
      watch.onIgnored?.(childPath);
    } else if (child.isDirectory) {
      yield* walkEntry(child as FileSystemDirectoryEntry, childPath, watch);
    } else {
      yield await fromEntry(child as FileSystemFileEntry, childPath);
    }
  }
}

async function fromEntry(entry: FileSystemFileEntry, path: string): Promise<NewItem> {
  const source: Source = { file: () => new Promise((resolve, reject) => entry.file(resolve, reject)) };
  try {
    return known(await source.file(), path, source);
  } catch (e) {
    return unreadable(entry.name, path, source, e);
  }
}

const collator = new Intl.Collator(undefined, { numeric: true });

function byName(a: { name: string }, b: { name: string }): number {
  return collator.compare(a.name, b.name);
}

/** Returns a new item for bytes without a file, such as a snapshot. */
export function fromBlob(blob: Blob, name: string): NewItem {
  const file = new File([blob], name, { type: blob.type, lastModified: Date.now() });
  return known(file, name, { file: async () => file });
}
