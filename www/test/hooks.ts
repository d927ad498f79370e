/**
 * What the tests reach in a page of the site: the codecs, and an engine
 * without worker and page around it. The tests evaluate this bundle.
 */

import { framesKeepPixels, open } from "../src/decode";
import { Engine, type Classify } from "../src/engine";
import { readHeader } from "../src/header";
import { formatPack, parsePack } from "../src/labels";
import { relaxedIsExact } from "../src/module";
import { seenRequest } from "../src/report";
import { SHA256 } from "../src/sha256";
import * as wire from "../src/wire";

const codecs = {
  WeightsBegin: wire.weightsBegin,
  ModelInfo: wire.modelInfo,
  LabelSet: wire.labelSet,
  LabelsInfo: wire.labelsInfo,
  Seed: wire.seed,
  ImageBegin: wire.imageBegin,
  ClassifyOptions: wire.classifyOptions,
  EmbedBegin: wire.embedBegin,
  EmbedTexts: wire.embedTexts,
  Progress: wire.progress,
  Answer: wire.answer,
  Embedding: wire.embedding,
} as unknown as Record<string, wire.Codec<unknown>>;

/** Fields that are a number in the vectors and a name here. */
const names: Record<string, readonly string[]> = { method: wire.methods, kind: wire.seedKinds, phase: wire.phases };
const floats = ["data", "embedding", "values", "imageEmbedding"];

function codec(message: string): wire.Codec<unknown> {
  const found = codecs[message];
  if (!found) {
    throw new Error(`no codec for ${message}`);
  }
  return found;
}

/** The message that a vector's JSON stands for. */
function revive(json: string): unknown {
  return JSON.parse(json, (key, value: unknown) => {
    if (names[key]) {
      return names[key][value as number];
    }
    if (floats.includes(key)) {
      return Float32Array.from(value as number[]);
    }
    if (typeof value === "object" && value !== null && "f32bits" in value) {
      return new Float32Array(Uint32Array.of(value.f32bits as number).buffer)[0];
    }
    return value;
  });
}

/** The JSON that stands for a message in the vectors. */
function plain(message: unknown): string {
  return JSON.stringify(message, (key, value: unknown) => {
    if (names[key]) {
      return names[key].indexOf(value as string);
    }
    if (value instanceof Float32Array) {
      return [...value];
    }
    if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
      return { f32bits: new Uint32Array(Float32Array.of(value).buffer)[0] };
    }
    return value;
  });
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
}

let engine: Engine;
let photo: { width: number; height: number; pixels: Uint8Array };

const hooks = {
  encode: (message: string, json: string) => toHex(codec(message).encode(revive(json))),
  decode: (message: string, hex: string) => plain(codec(message).decode(fromHex(hex))),

  /** What is wrong with a label pack; empty where nothing is. Good packs must survive being written and read. */
  labels: (text: string): string => {
    try {
      const pack = parsePack(text);
      const again = parsePack(formatPack(pack));
      return JSON.stringify(pack) === JSON.stringify(again) ? "" : "differs after formatPack";
    } catch (e) {
      return (e as Error).message;
    }
  },

  /** An image file's size, or what is wrong with it. */
  header: async (base64: string): Promise<string> => {
    try {
      const { format, width, height } = await readHeader(new Blob([fromBase64(base64)]));
      return `${format} ${width} ${height}`;
    } catch (e) {
      return (e as Error).message;
    }
  },

  /** SHA-256 of bytes that arrive in pieces of n. */
  sha256: (base64: string, n: number): string => {
    const data = fromBase64(base64);
    const hash = new SHA256();
    for (let at = 0; at < data.length; at += n) {
      hash.update(data.subarray(at, at + n));
    }
    return hash.hex();
  },

  /** An image file's size and RGBA pixels; alpha has no meaning. */
  pixels: async (base64: string): Promise<{ width: number; height: number; rgba: string }> => {
    const photo = await (await open(new Blob([fromBase64(base64)]))).decode();
    const bands: Uint8Array<ArrayBuffer>[] = [];
    for await (const band of photo.rows()) {
      bands.push(new Uint8Array(band));
    }
    photo.close();
    const all = new Uint8Array(await new Blob(bands).arrayBuffer());
    return { width: photo.width, height: photo.height, rgba: toBase64(all) };
  },

  /** Whether this browser keeps the colours of transparent pixels. */
  framesKeepPixels,

  /** What counts of a request; path is relative to the page, or another site's address. */
  seen: (path: string, entry: object): string => {
    const { network, answered } = seenRequest({ ...entry, name: new URL(path, location.href).href } as PerformanceResourceTiming, "page");
    return `${network ? "network" : "device"}${answered ? "" : ", no answer"}`;
  },

  /** Whether the relaxed module is for this browser. */
  relaxedIsExact,

  /** The same in a browser without relaxed SIMD, and in those that compute a wrong product. */
  relaxedIsExactWith: (fault: "none" | "swapped" | "saturated" | "lane" | "sum"): boolean => {
    const { validate, Instance } = WebAssembly;
    const wrong = (a: Int8Array, b: Int8Array, sum: Int32Array): number[] =>
      Array.from(sum, (s, lane) => {
        const product = (i: number): number => (fault === "swapped" ? (a[i]! & 255) * b[i]! : a[i]! * b[i]!);
        const pair = (i: number): number => {
          const v = product(i) + product(i + 1);
          return fault === "saturated" ? Math.max(-32_000, Math.min(32_000, v)) : v;
        };
        const at = 4 * (fault === "lane" ? lane ^ 1 : lane);
        return (fault === "sum" ? 0 : s) + pair(at) + pair(at + 2);
      });
    class Faulty {
      exports: object;
      constructor() {
        const memory = new WebAssembly.Memory({ initial: 1 });
        const at = memory.buffer;
        this.exports = {
          memory,
          dot: () => new Int32Array(at, 48, 4).set(wrong(new Int8Array(at, 0, 16), new Int8Array(at, 16, 16), new Int32Array(at, 32, 4))),
        };
      }
    }
    try {
      if (fault === "none") {
        WebAssembly.validate = () => false;
      } else {
        WebAssembly.Instance = Faulty as unknown as typeof WebAssembly.Instance;
      }
      return relaxedIsExact();
    } finally {
      WebAssembly.validate = validate;
      WebAssembly.Instance = Instance;
    }
  },

  /** Starts an engine of its own with the site's weights and the given label set. */
  start: async (module: string, weights: string, size: number, labels: string): Promise<string> => {
    engine = await Engine.start(await WebAssembly.compileStreaming(fetch(module)));
    const { body } = await fetch(weights);
    const info = await engine.loadWeights(size, body!);
    engine.setLabels(JSON.parse(labels) as wire.LabelSet);
    return info.name;
  },

  /** Keeps an image for classify. */
  image: (width: number, height: number, base64: string): void => {
    photo = { width, height, pixels: fromBase64(base64) };
  },

  /** Classifies the image; returns the bytes of the answer. */
  classify: async (options: Classify): Promise<string> => {
    const { width, height, pixels } = photo;
    const band = Math.floor(wire.maxRequest / (4 * width)) * 4 * width;
    engine.beginImage(width, height);
    for (let at = 0; at < pixels.length; at += band) {
      engine.imageRows(pixels.subarray(at, at + band));
    }
    return toBase64(await engine.classifyBytes(options));
  },
};

Object.assign(window, { hooks });
