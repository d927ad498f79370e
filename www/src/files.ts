/**
 * Reads the site's own files in a worker: from this device where they are
 * kept, else from the server. What comes from the server must have the hash
 * that this script was built with; what is kept was checked before.
 */

import { cacheKey, cacheName, keepingLock, pieceBytes, type Site, type SiteFile } from "./assets";
import { hex } from "./hex";
import { SHA256 } from "./sha256";
import { siteProblems as problems } from "./strings";

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
   * Opens a file. One from the server arrives as it is read, which throws a
   * WrongFile where the content is not the right one, and is kept on this
   * device once it was read to its end.
   * @param piecesAhead may wait to be read.
   */
  async open(file: SiteFile, piecesAhead = 0): Promise<Response> {
    const kept = await this.kept;
    const key = cacheKey(file, this.base);
    const found = await kept?.match(key).catch(() => undefined);
    if (found) {
      return found;
    }
    const response = await fetch(key, { cache: this.mode });
    if (!response.ok || !response.body) {
      throw new Error(problems.server(file.path, response.status, response.statusText));
    }
    const headers = { "Content-Type": file.type, "Content-Length": String(file.size) };
    let copy: Copy | undefined;
    if (kept) {
      copy = new Copy();
      const other = new Response(copy.stream, { headers });
      // Without space, or with the wrong content, nothing is kept.
      navigator.locks.request(keepingLock(this.base), { mode: "shared" }, () => kept.put(key, other)).catch(() => undefined);
    }
    return new Response(checked(response.body, file, piecesAhead, copy), { headers });
  }
}

type Piece = Uint8Array<ArrayBuffer>;

/** A second stream of a file's pieces, which come when the first one is read: streams that are told apart by tee run ahead. */
class Copy {
  private controller: ReadableStreamDefaultController<Piece> | undefined;
  readonly stream = new ReadableStream<Piece>({
    start: (controller) => {
      this.controller = controller;
    },
    cancel: () => {
      this.controller = undefined;
    },
  });

  pass(piece: Piece): void {
    this.controller?.enqueue(piece);
  }

  end(): void {
    this.controller?.close();
  }

  fail(e: unknown): void {
    this.controller?.error(e);
  }
}

/** Passes a file's bytes on piece by piece, each once it is found right, and throws a WrongFile at the first that is not. */
function checked(body: ReadableStream<Piece>, file: SiteFile, piecesAhead: number, copy: Copy | undefined): ReadableStream<Piece> {
  const { path, size, pieces = [file.sha256] } = file;
  const reader = body.getReader();
  let read: Piece = new Uint8Array(0); // and not yet passed on
  let at = 0; // bytes passed on
  /** Fills piece and returns how many bytes there were for it. */
  const fill = async (piece: Piece): Promise<number> => {
    let n = 0;
    while (n < piece.length) {
      if (read.length === 0) {
        const { done, value } = await reader.read();
        if (done) {
          break;
        }
        read = value;
      }
      const some = read.subarray(0, piece.length - n);
      piece.set(some, n);
      n += some.length;
      read = read.subarray(some.length);
    }
    return n;
  };
  /** Returns the next piece, or undefined at the end. */
  const next = async (): Promise<Piece | undefined> => {
    const piece = new Uint8Array(Math.min(pieceBytes, size - at));
    if (piece.length === 0) {
      if ((await fill(new Uint8Array(1))) > 0) {
        throw new WrongFile(problems.longer(path, size));
      }
      return undefined;
    }
    const n = await fill(piece);
    const sha256 = await digest(piece);
    const want = pieces[at / pieceBytes];
    if (n < piece.length || sha256 !== want) {
      throw new WrongFile(problems.other(path, at, sha256, want));
    }
    at += n;
    return piece;
  };
  const source: UnderlyingDefaultSource<Piece> = {
    async pull(controller) {
      try {
        const piece = await next();
        if (piece) {
          copy?.pass(piece);
          controller.enqueue(piece);
        } else {
          copy?.end();
          controller.close();
        }
      } catch (e) {
        copy?.fail(e);
        throw e;
      }
    },
    cancel(reason) {
      copy?.fail(reason);
      return reader.cancel(reason);
    },
  };
  return new ReadableStream(source, { highWaterMark: piecesAhead });
}

/** Returns the SHA-256 of bytes; browsers compute it themselves on pages of secure origins only. */
async function digest(bytes: Piece): Promise<string> {
  const { subtle } = crypto as Partial<Crypto>;
  if (!subtle) {
    const hash = new SHA256();
    hash.update(bytes);
    return hash.hex();
  }
  return hex(new Uint8Array(await subtle.digest("SHA-256", bytes)));
}

/** Returns undefined where the browser keeps nothing, as in some private modes. */
async function openCache(name: string): Promise<Cache | undefined> {
  try {
    return await caches.open(name);
  } catch {
    return undefined;
  }
}
