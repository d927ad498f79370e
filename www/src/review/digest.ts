/** Digests of contents, computed by the browser. */

import { hex } from "../hex";

const chunk = 16 << 20; // bytes in memory at a time

/**
 * Returns a digest by which equal contents are found: of up to 16 MiB the
 * SHA-256 in hexadecimal, of more the SHA-256 of the SHA-256 of each 16 MiB,
 * after "chunked:".
 */
export async function digest(data: Blob, signal?: AbortSignal): Promise<string> {
  if (data.size <= chunk) {
    return hex(await sha256(await data.arrayBuffer()));
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < data.size; at += chunk) {
    signal?.throwIfAborted();
    parts.push(await sha256(await data.slice(at, at + chunk).arrayBuffer()));
  }
  return "chunked:" + hex(await sha256(await new Blob(parts).arrayBuffer()));
}

async function sha256(bytes: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
