/** Turns image files and bitmaps into rows of RGBA pixels. */

import { yieldToEvents } from "./engine";
import { checkSize, readHeader, type Format } from "./header";
import { imageProblems as problems } from "./strings";
import { maxRequest } from "./wire";

export interface Decoded {
  width: number; // pixels, after EXIF rotation
  height: number;
  /** Yields the rows from top to bottom, several at a time. */
  rows(): AsyncGenerator<Uint8Array>;
  /** Makes a small image file whose longer side has at most so many pixels. */
  thumbnail(side: number): Promise<Blob>;
  close(): void;
}

/** A photo whose size is known and within the limits. */
export interface Opened {
  pixels: number;
  decode(): Promise<Decoded>;
}

/** Looks at a photo's size; throws with a sentence for people. */
export async function open(source: Blob | ImageBitmap): Promise<Opened> {
  if (source instanceof ImageBitmap) {
    checkSize(problems.bitmap, source.width, source.height);
    return { pixels: source.width * source.height, decode: async () => decoded(source, true, false) };
  }
  const { format, width, height, upright } = await readHeader(source);
  return {
    pixels: width * height,
    decode: async () => decoded(await toBitmap(source, format), upright, format === "JPEG"),
  };
}

async function toBitmap(file: Blob, format: Format): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: "from-image",
      // A JPEG is opaque, and asking for the same pixels this way is slow.
      premultiplyAlpha: format === "JPEG" ? "default" : "none",
    });
  } catch {
    throw new Error(problems.undecodable(format));
  }
}

function decoded(bitmap: ImageBitmap, upright: boolean, opaque: boolean): Decoded {
  const { width, height } = bitmap;
  return {
    width,
    height,
    rows: () => rows(bitmap, upright),
    thumbnail: (side) => thumbnail(bitmap, side, opaque),
    close: () => bitmap.close(),
  };
}

async function* rows(bitmap: ImageBitmap, upright: boolean): AsyncGenerator<Uint8Array> {
  const { width, height } = bitmap;
  const band = Math.min(height, Math.floor(maxRequest / (4 * width)));
  const frames = upright && (await (framesAreFaithful ??= framesKeepPixels()));
  const source = (frames && frameSource(bitmap)) || canvasSource(bitmap, band);
  try {
    for (let y = 0; y < height; y += band) {
      yield await source.read(y, Math.min(band, height - y));
      await yieldToEvents();
    }
  } finally {
    source.close();
  }
}

/** Reads rows of a bitmap as RGBA; alpha has no meaning. */
interface Source {
  read(y: number, rows: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/**
 * Reads through a video frame, which keeps the colours of transparent pixels
 * but does not turn an image that is to be shown turned. Returns undefined
 * where the bitmap's pixels are not plain sRGB.
 */
function frameSource(bitmap: ImageBitmap): Source | undefined {
  const { width } = bitmap;
  const frame = new VideoFrame(bitmap, { timestamp: 0, alpha: "discard" });
  const { primaries, transfer } = frame.colorSpace;
  const swapped = frame.format === "BGRX" || frame.format === "BGRA";
  const plain = swapped || frame.format === "RGBX" || frame.format === "RGBA";
  if (!plain || primaries !== "bt709" || transfer !== "iec61966-2-1") {
    frame.close();
    return undefined;
  }
  return {
    async read(y, rows) {
      const pixels = new Uint8Array(4 * width * rows);
      await frame.copyTo(pixels, { rect: { x: 0, y, width, height: rows }, layout: [{ offset: 0, stride: 4 * width }] });
      if (swapped) {
        swapRedAndBlue(new Uint32Array(pixels.buffer));
      }
      return pixels;
    },
    close: () => frame.close(),
  };
}

function swapRedAndBlue(pixels: Uint32Array): void {
  for (let i = 0; i < pixels.length; i++) {
    const v = pixels[i]!;
    pixels[i] = (v & 0xff00ff00) | ((v & 0xff) << 16) | ((v >>> 16) & 0xff);
  }
}

/** Reads through a canvas, which loses the colours of transparent pixels. */
function canvasSource(bitmap: ImageBitmap, band: number): Source {
  const { width } = bitmap;
  const context = canvas(width, band);
  return {
    async read(y, rows) {
      context.clearRect(0, 0, width, band);
      context.drawImage(bitmap, 0, y, width, rows, 0, 0, width, rows);
      return new Uint8Array(context.getImageData(0, 0, width, rows).data.buffer);
    },
    close: () => {},
  };
}

async function thumbnail(bitmap: ImageBitmap, side: number, opaque: boolean): Promise<Blob> {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  // JPEG is several times faster to write, but has no transparency.
  return context.canvas.convertToBlob({ type: opaque ? "image/jpeg" : "image/webp", quality: 0.85 });
}

function canvas(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) {
    throw new Error(problems.noCanvas(width, height));
  }
  return context;
}

let framesAreFaithful: Promise<boolean> | undefined;

/** Whether a canvas gives pixels back as they were. Browsers that resist fingerprinting change them. */
export function canvasIsFaithful(): Promise<boolean> {
  return keepsPixels((bitmap) => canvasSource(bitmap, bitmap.height), 255);
}

/** Whether a video frame does so even for nearly transparent pixels. */
export async function framesKeepPixels(): Promise<boolean> {
  return typeof VideoFrame === "function" && (await keepsPixels(frameSource, 7));
}

/** Sends a known image of the given opacity through a source. */
async function keepsPixels(source: (bitmap: ImageBitmap) => Source | undefined, alpha: number): Promise<boolean> {
  const side = 32;
  const image = new ImageData(side, side);
  for (let i = 0; i < image.data.length; i++) {
    image.data[i] = i % 4 === 3 ? alpha : (i * 37) % 256;
  }
  const bitmap = await createImageBitmap(image, { premultiplyAlpha: "none" });
  try {
    const reader = source(bitmap);
    const pixels = await reader?.read(0, side);
    reader?.close();
    return pixels !== undefined && pixels.every((v, i) => i % 4 === 3 || v === image.data[i]);
  } catch {
    return false;
  } finally {
    bitmap.close();
  }
}
