/** Small pictures of photos, a bounded number of them; others are made again when they are needed. */

import type { Review } from "../review/review";

export const thumbnailSide = 256; // pixels

const most = 1500; // kept
const atOnce = 2; // made at the same time

export class Thumbnails {
  // Addresses, least recently used first. Making one is a question to the browser's
  // own process that scripts wait for: once a thumbnail, not each time it is shown.
  private readonly kept = new Map<number, string>();
  private readonly wanted = new Map<number, (url: string | undefined) => void>(); // last wanted last
  private readonly hopeless = new Set<number>(); // files that cannot be decoded
  private working = 0;

  constructor(private readonly review: Review) {}

  /** Keeps a thumbnail; the one that there is stays, since an element may be loading it. */
  put(id: number, thumbnail: Blob): void {
    const url = this.peek(id) ?? URL.createObjectURL(thumbnail);
    this.kept.set(id, url);
    if (this.kept.size > most) {
      this.drop(this.kept.keys().next().value!);
    }
    const onReady = this.wanted.get(id);
    this.wanted.delete(id);
    onReady?.(url);
  }

  /** Returns the address of a kept thumbnail; it is good until others take its place. */
  peek(id: number): string | undefined {
    const found = this.kept.get(id);
    if (found) {
      this.kept.delete(id);
      this.kept.set(id, found);
    }
    return found;
  }

  /** Makes the thumbnail of an item that was looked at before; what was wanted last is made first. */
  want(id: number, onReady: (url: string | undefined) => void): void {
    if (this.hopeless.has(id)) {
      return onReady(undefined);
    }
    this.wanted.delete(id);
    this.wanted.set(id, onReady);
    void this.work();
  }

  /** Says that nobody waits for a thumbnail any more. */
  forget(id: number): void {
    this.wanted.delete(id);
  }

  clear(): void {
    [...this.kept.keys()].forEach((id) => this.drop(id));
    this.wanted.clear();
    this.hopeless.clear();
  }

  private drop(id: number): void {
    const url = this.kept.get(id);
    if (url !== undefined) {
      this.kept.delete(id);
      URL.revokeObjectURL(url);
    }
  }

  private async work(): Promise<void> {
    if (this.working >= atOnce) {
      return;
    }
    this.working++;
    for (let id = lastOf(this.wanted); id !== undefined; id = lastOf(this.wanted)) {
      const onReady = this.wanted.get(id)!;
      this.wanted.delete(id);
      try {
        const file = await this.review.source(id)?.file();
        const { width = 0, height = 0 } = this.review.get(id) ?? {};
        const thumbnail = file && (await shrink(file, height > width));
        if (thumbnail) {
          this.put(id, thumbnail);
        }
        onReady(this.peek(id));
      } catch {
        this.hopeless.add(id);
        onReady(undefined);
      }
    }
    this.working--;
  }
}

function lastOf(map: ReadonlyMap<number, unknown>): number | undefined {
  let last: number | undefined;
  for (const key of map.keys()) {
    last = key;
  }
  return last;
}

/**
 * Decodes an image so that its longer side is that of a thumbnail; the browser
 * does that beside the page's own work.
 */
async function shrink(file: Blob, upright: boolean): Promise<Blob> {
  const side = upright ? { resizeHeight: thumbnailSide } : { resizeWidth: thumbnailSide };
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", ...side, resizeQuality: "medium" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
}
