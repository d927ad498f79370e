/** Turns image files into rows of RGBA pixels. */

import { yieldToEvents } from "./engine";
import { readHeader } from "./header";
import { maxRequest } from "./wire";

const thumbnailSide = 480; // pixels

export interface Decoded {
  width: number; // pixels, after EXIF rotation
  height: number;
  /** Yields the rows from top to bottom, several at a time. */
  rows(): AsyncGenerator<Uint8Array>;
  thumbnail(): Promise<Blob>;
  close(): void;
}

/** Decodes a photo; throws with a sentence for people. The size is checked before anything is decoded. */
export async function decode(file: Blob): Promise<Decoded> {
  const header = await readHeader(file);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`The browser cannot decode this ${header.format} file; it may be damaged.`);
  }
  const { width, height } = bitmap;
  return {
    width,
    height,
    rows: () => rows(bitmap),
    thumbnail: () => thumbnail(bitmap),
    close: () => bitmap.close(),
  };
}

async function* rows(bitmap: ImageBitmap): AsyncGenerator<Uint8Array> {
  const { width, height } = bitmap;
  const band = Math.min(height, Math.floor(maxRequest / (4 * width)));
  const context = canvas(width, band);
  for (let y = 0; y < height; y += band) {
    const n = Math.min(band, height - y);
    context.clearRect(0, 0, width, band);
    context.drawImage(bitmap, 0, y, width, n, 0, 0, width, n);
    const { data } = context.getImageData(0, 0, width, n);
    yield new Uint8Array(data.buffer);
    await yieldToEvents();
  }
}

async function thumbnail(bitmap: ImageBitmap): Promise<Blob> {
  const scale = Math.min(1, thumbnailSide / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return context.canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}

function canvas(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) {
    throw new Error(`The browser has no memory for a canvas of ${width} × ${height} pixels.`);
  }
  return context;
}

/** Whether pixels drawn on a canvas come back as they were; browsers that resist fingerprinting change them. */
export async function canvasIsFaithful(): Promise<boolean> {
  const side = 32;
  const image = new ImageData(side, side);
  image.data.forEach((_, i) => {
    image.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256;
  });
  const bitmap = await createImageBitmap(image);
  const context = canvas(side, side);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, side, side);
  bitmap.close();
  return data.every((v, i) => v === image.data[i]);
}
