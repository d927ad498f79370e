/**
 * The parts of the File System Access API that are used here. TypeScript's
 * library lacks some of them, and browsers too: look before calling.
 */

import * as strings from "../strings";

type Permission = "granted" | "denied" | "prompt";

export interface Handle {
  queryPermission?(options: { mode: "read" | "readwrite" }): Promise<Permission>;
  requestPermission?(options: { mode: "read" | "readwrite" }): Promise<Permission>;
  remove?(): Promise<void>;
}

/** Lists what is in a folder. */
export function listFolder(folder: FileSystemDirectoryHandle): AsyncIterable<FileSystemFileHandle | FileSystemDirectoryHandle> {
  return (folder as unknown as { values(): AsyncIterable<FileSystemFileHandle | FileSystemDirectoryHandle> }).values();
}

/**
 * Returns whether a file or folder may be used. Where that has to be asked,
 * it works only while the browser handles a click or key.
 */
export async function mayUse(handle: FileSystemHandle, mode: "read" | "readwrite", ask: boolean): Promise<boolean> {
  const { queryPermission, requestPermission } = handle as unknown as Handle;
  if (!queryPermission || !requestPermission) {
    return true; // without this API there is nothing to be asked
  }
  if ((await queryPermission.call(handle, { mode })) === "granted") {
    return true;
  }
  return ask && (await requestPermission.call(handle, { mode })) === "granted";
}

/** Whether this browser can write into a folder that the user chooses. */
export function canWriteFolders(): boolean {
  return typeof (globalThis as { showDirectoryPicker?: unknown }).showDirectoryPicker === "function";
}

/** Returns a sentence for what went wrong with a file. */
export function fileProblem(e: unknown): string {
  switch (e instanceof DOMException ? e.name : "") {
    case "NotFoundError":
      return strings.files.gone;
    case "NotReadableError":
      return strings.files.unreadable;
    case "NotAllowedError":
    case "SecurityError":
      return strings.files.notAllowed;
    case "QuotaExceededError":
      return strings.files.noSpace;
    case "NoModificationAllowedError":
      return strings.files.inUse;
    case "TypeMismatchError":
      return strings.files.notAFile;
    default:
      return e instanceof Error ? e.message : String(e);
  }
}
