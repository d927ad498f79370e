/**
 * Image sizes from file headers, so that a hostile or huge image is refused
 * before anything is decoded.
 */

import { imageProblems as problems } from "./strings";

/** Limits of a photo. */
export const maxPixels = 128_000_000;
export const maxSide = 32_768;

const maxParts = 1024; // segments, chunks or boxes that are looked at, fill bytes included

export type Format = "JPEG" | "PNG" | "GIF" | "WebP" | "AVIF" | "HEIC";

export interface Header {
  format: Format;
  width: number; // pixels as stored, before EXIF rotation
  height: number;
  /** The file does not say that the image is to be shown turned. False where that was not looked for. */
  upright: boolean;
}

/** Reads the header of an image file; throws with a sentence for people. */
export async function readHeader(file: Blob): Promise<Header> {
  if (file.size === 0) {
    throw new Error(problems.empty);
  }
  const start = await bytesOf(file, 0, 64);
  const header = (await png(file, start)) ?? gif(start) ?? webp(start) ?? (await jpeg(file, start)) ?? (await heif(file, start));
  if (header === undefined) {
    throw new Error(problems.notAnImage);
  }
  checkSize(problems.header(header.format), header.width, header.height);
  return header;
}

/** Throws where a size, which the given thing says, is outside the limits. */
export function checkSize(what: string, width: number, height: number): void {
  if (width < 1 || height < 1) {
    throw new Error(problems.noSize(what, width, height));
  }
  if (width > maxSide || height > maxSide) {
    throw new Error(problems.side(width, height, maxSide));
  }
  if (width * height > maxPixels) {
    throw new Error(problems.pixels(width, height, maxPixels));
  }
}

async function bytesOf(file: Blob, at: number, n: number): Promise<DataView> {
  return new DataView(await file.slice(at, at + n).arrayBuffer());
}

/** Whether the ASCII text stands at an offset. */
function has(view: DataView, at: number, text: string): boolean {
  if (at + text.length > view.byteLength) {
    return false;
  }
  for (let i = 0; i < text.length; i++) {
    if (view.getUint8(at + i) !== text.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}

async function png(file: Blob, v: DataView): Promise<Header | undefined> {
  if (!has(v, 0, "\x89PNG\r\n\x1a\n") || !has(v, 12, "IHDR") || v.byteLength < 24) {
    return undefined;
  }
  const header: Header = { format: "PNG", width: v.getUint32(16), height: v.getUint32(20), upright: true };
  // An eXIf chunk that counts stands before the pixels.
  for (let at = 8, n = 0; at < file.size; n++) {
    const chunk = await bytesOf(file, at, 8);
    if (chunk.byteLength < 8 || has(chunk, 4, "IDAT")) {
      break;
    }
    if (has(chunk, 4, "eXIf") || n === maxParts) {
      header.upright = false;
      break;
    }
    at += 12 + chunk.getUint32(0);
  }
  return header;
}

function gif(v: DataView): Header | undefined {
  if (!(has(v, 0, "GIF87a") || has(v, 0, "GIF89a")) || v.byteLength < 10) {
    return undefined;
  }
  return { format: "GIF", width: v.getUint16(6, true), height: v.getUint16(8, true), upright: true };
}

function webp(v: DataView): Header | undefined {
  if (!has(v, 0, "RIFF") || !has(v, 8, "WEBP") || v.byteLength < 30) {
    return undefined;
  }
  const u24 = (at: number) => v.getUint16(at, true) | (v.getUint8(at + 2) << 16);
  if (has(v, 12, "VP8X")) {
    const exif = (v.getUint8(20) & 0x08) !== 0;
    return { format: "WebP", width: u24(24) + 1, height: u24(27) + 1, upright: !exif };
  }
  if (has(v, 12, "VP8L")) {
    const bits = v.getUint32(21, true);
    return { format: "WebP", width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, upright: true };
  }
  if (has(v, 12, "VP8 ")) {
    return { format: "WebP", width: v.getUint16(26, true) & 0x3fff, height: v.getUint16(28, true) & 0x3fff, upright: true };
  }
  return undefined;
}

/** Walks the segments to the start of frame, which holds the size. */
async function jpeg(file: Blob, start: DataView): Promise<Header | undefined> {
  if (!has(start, 0, "\xff\xd8\xff")) {
    return undefined;
  }
  for (let at = 2, n = 0; at + 4 <= file.size && n < maxParts; n++) {
    const v = await bytesOf(file, at, 9);
    const marker = v.getUint8(1);
    if (v.getUint8(0) !== 0xff) {
      break;
    }
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2; // fill byte, or a marker without a segment
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame && v.byteLength === 9) {
      return { format: "JPEG", width: v.getUint16(7), height: v.getUint16(5), upright: false };
    }
    if (marker === 0xd9 || marker === 0xda) {
      break;
    }
    at += 2 + v.getUint16(2);
  }
  throw new Error(problems.noHeader("JPEG"));
}

const maxMeta = 1 << 20; // bytes of the part of an AVIF or HEIC file that describes it

/** Reads AVIF and HEIC (ISO/IEC 23008-12): the size is the largest of the images inside. */
async function heif(file: Blob, start: DataView): Promise<Header | undefined> {
  if (!has(start, 4, "ftyp")) {
    return undefined;
  }
  const brands = new TextDecoder("latin1").decode(await file.slice(8, Math.min(start.getUint32(0), 256)).arrayBuffer());
  const format = /avif|avis/.test(brands) ? "AVIF" : /hei[cxms]|hev[cx]|mif1/.test(brands) ? "HEIC" : undefined;
  if (!format) {
    return undefined;
  }
  for (let at = 0, n = 0; at + 8 <= file.size && n < maxParts; n++) {
    const box = await bytesOf(file, at, 8);
    const size = box.getUint32(0);
    if (has(box, 4, "meta") && size <= maxMeta) {
      const meta = await bytesOf(file, at, size);
      const properties = [...boxes(meta, 12, meta.byteLength, "iprp")].flatMap(([from, to]) => [...boxes(meta, from, to, "ipco")]);
      const sizes = properties
        .flatMap(([from, to]) => [...boxes(meta, from, to, "ispe")])
        .filter(([from, to]) => to - from >= 12)
        .map(([from]) => ({ width: meta.getUint32(from + 4), height: meta.getUint32(from + 8) }))
        .sort((a, b) => b.width * b.height - a.width * a.height);
      if (sizes[0]) {
        return { format, ...sizes[0], upright: false };
      }
    }
    if (size < 8) {
      break; // to the end of the file, or larger than 4 GB
    }
    at += size;
  }
  throw new Error(problems.noHeader(format));
}

/** Yields where the content of each box of a type begins and ends, among the boxes from…to. */
function* boxes(view: DataView, from: number, to: number, type: string): Generator<[number, number]> {
  while (from + 8 <= to) {
    const size = view.getUint32(from);
    if (size < 8 || from + size > to) {
      return;
    }
    if (has(view, from + 4, type)) {
      yield [from + 8, from + size];
    }
    from += size;
  }
}
