/**
 * Reads the site's own files in a worker: from this device where they are
 * kept, else from the server. What comes from the server must have the hash
 * that this script was built with; what is kept was checked before.
 */

import { cacheKey, cacheName, keepingLock, type Site, type SiteFile } from "./assets";
import { SHA256 } from "./sha256";

/** A file from the server is not the one that the site was built with. */
export class WrongFile extends Error {}

/** The files of a site whose folder has the URL base, ending in a slash. */
export class SiteFiles {
  private readonly kept: Promise<Cache | undefined>;

  constructor(
    readonly site: Site,
    private readonly base: string,
    /** How to ask the server; the URL names the content, so an old copy cannot be meant. */
    private readonly mode: RequestCache = "force-cache",
  ) {
    this.kept = openCache(cacheName(base, site.version));
  }

  /**
   * Opens a file. One from the server is kept on this device as it is read;
   * reading to its end throws a WrongFile where the content is not the right one.
   */
  async open(file: SiteFile): Promise<Response> {
    const kept = await this.kept;
    const key = cacheKey(file, this.base);
    const found = await kept?.match(key).catch(() => undefined);
    if (found) {
      return found;
    }
    const response = await fetch(key, { cache: this.mode });
    if (!response.ok || !response.body) {
      throw new Error(`${file.path}: the server answered ${response.status} ${response.statusText}`);
    }
    let body = response.body.pipeThrough(checker(file));
    const headers = { "Content-Type": file.type, "Content-Length": String(file.size) };
    if (kept) {
      const [here, there] = body.tee();
      body = here;
      const copy = new Response(there, { headers });
      // Without space, or with the wrong content, nothing is kept.
      navigator.locks.request(keepingLock(this.base), { mode: "shared" }, () => kept.put(key, copy)).catch(() => undefined);
    }
    return new Response(body, { headers });
  }
}

/** Passes bytes on and throws a WrongFile instead of ending where they are not those of the file. */
function checker(file: SiteFile): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const hash = new SHA256();
  let length = 0;
  return new TransformStream({
    transform(chunk, controller) {
      length += chunk.length;
      if (length > file.size) {
        throw new WrongFile(`${file.path} is longer than the ${file.size} bytes that this page was built with`);
      }
      hash.update(chunk);
      controller.enqueue(chunk);
    },
    flush() {
      const sha256 = hash.hex();
      if (sha256 !== file.sha256) {
        throw new WrongFile(`${file.path} is not the file that this page was built with: its SHA-256 is ${sha256}, not ${file.sha256}`);
      }
    },
  });
}

/** Returns undefined where the browser keeps nothing, as in some private modes. */
async function openCache(name: string): Promise<Cache | undefined> {
  try {
    return await caches.open(name);
  } catch {
    return undefined;
  }
}
