/**
 * The byte format between the WebAssembly module and its hosts: the twin of
 * wasm/wire, where operations and messages are documented. Both are tested
 * against the vectors in wasm/wire/testdata.
 */

/** Version of the module's exports and of this format. */
export const ABI = 2;

/** Largest request in bytes. */
export const maxRequest = 4 << 20;

export const Op = {
  weightsBegin: 1,
  weightsChunk: 2,
  weightsEnd: 3,
  setLabels: 4,
  seed: 5,
  imageBegin: 6,
  imageRows: 7,
  classifyBegin: 8,
  embedBegin: 9,
  step: 10,
  answer: 11,
  embedding: 12,
  cancel: 13,
  embedTexts: 14,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

export const Status = { ok: 0, badInput: 1, limit: 2, state: 3, internal: 4 } as const;

/** Scoring methods; the index is the number on the wire. */
export const methods = ["ecor", "clip", "independent", "inverted", "joint"] as const;
export type Method = (typeof methods)[number];

/** Phases of a job; the index is the number on the wire. */
export const phases = ["image", "stage1", "stage2", "done"] as const;
export type Phase = (typeof phases)[number];

/** Which prompts' embeddings a Seed carries; the index is the number on the wire. */
export const seedKinds = ["categories", "rationales"] as const;
export type SeedKind = (typeof seedKinds)[number];

export interface WeightsBegin {
  size: number; // bytes of the whole file
}

export interface Templates {
  category: string[]; // {c}
  rationale: string[]; // {r}
  conditional: string[]; // {c} and {r}
}

export interface ModelInfo {
  name: string;
  scheme: string;
  license: string;
  sourceSha256: string;
  kernel: string;
  imageSize: number; // pixels
  contextLength: number; // tokens
  projectionDim: number;
  parameters: number;
  logitScale: number;
  templates: Templates;
}

export interface Category {
  name: string;
  rationales: string[];
}

export interface LabelSet {
  templates: Templates; // an empty list takes the weights' own
  categories: Category[];
  cacheBytes: number; // 0 takes the default
  checked: boolean; // the labels are known to fit into the context length: no warnings are wanted
}

export interface LabelsInfo {
  categories: number;
  rationales: number; // distinct
  warnings: string[];
}

export interface Seed {
  kind: SeedKind;
  first: number;
  dim: number;
  data: Float32Array; // (count, dim)
}

export interface ImageBegin {
  width: number;
  height: number;
}

export interface ClassifyOptions {
  method: Method;
  top: number; // 0 = 5
  topRationales: number; // 0 = 3
  coverage: number; // 0 = 0.99
  maxRationales: number; // 0 = 32
  embedding: Float32Array; // empty: the photo that was sent last
}

export interface EmbedBegin {
  text: string; // empty: the photo that was sent last
}

export interface EmbedTexts {
  texts: string[];
}

export interface Progress {
  phase: Phase;
  done: number;
  total: number;
}

export interface RationaleScore {
  rationale: string;
  joint: number; // P(c,r|I)
}

export interface CategoryScore {
  category: string;
  probability: number; // P(c|I)
  rationales: RationaleScore[];
}

export interface Answer {
  method: Method;
  kept: number; // rationales that stage 2 was computed for
  uncovered: number; // stage-1 mass of the others
  categories: CategoryScore[];
  imageEmbedding: Float32Array; // unit length
}

export interface Embedding {
  values: Float32Array; // unit length
}

/** Returns every rationale once, in the order of its first appearance: the order of rationale seeds. */
export function distinctRationales(categories: readonly Category[]): string[] {
  return [...new Set(categories.flatMap((c) => c.rationales))];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Writer {
  private bytes = new Uint8Array(256);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  /** Reserves n bytes and returns their offset; it may replace bytes and view. */
  private take(n: number): number {
    const at = this.length;
    this.length += n;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.bytes.length, this.length));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  private raw(bytes: Uint8Array): void {
    const at = this.take(bytes.length);
    this.bytes.set(bytes, at);
  }

  u8(v: number): void {
    const at = this.take(1);
    this.view.setUint8(at, v);
  }

  bool(v: boolean): void {
    this.u8(v ? 1 : 0);
  }

  u32(v: number): void {
    const at = this.take(4);
    this.view.setUint32(at, v, true);
  }

  u64(v: number): void {
    const at = this.take(8);
    this.view.setBigUint64(at, BigInt(v), true);
  }

  f32(v: number): void {
    const at = this.take(4);
    this.view.setFloat32(at, v, true);
  }

  str(v: string): void {
    const text = encoder.encode(v);
    this.u32(text.length);
    this.raw(text);
  }

  list<T>(items: readonly T[], put: (item: T) => void): void {
    this.u32(items.length);
    items.forEach(put);
  }

  strs(v: readonly string[]): void {
    this.list(v, (s) => this.str(s));
  }

  f32s(v: Float32Array): void {
    this.u32(v.length);
    this.raw(new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
  }

  templates(t: Templates): void {
    this.strs(t.category);
    this.strs(t.rationale);
    this.strs(t.conditional);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private take(n: number): number {
    if (n > this.bytes.length - this.at) {
      throw new Error("wire: message ends early");
    }
    const at = this.at;
    this.at += n;
    return at;
  }

  /** Returns the entry of a table that a byte selects. */
  name<T extends string>(table: readonly T[], what: string): T {
    const v = this.view.getUint8(this.take(1));
    const name = table[v];
    if (name === undefined) {
      throw new Error(`wire: unknown ${what} ${v}`);
    }
    return name;
  }

  bool(): boolean {
    const v = this.view.getUint8(this.take(1));
    if (v > 1) {
      throw new Error(`wire: ${v} is neither 0 nor 1`);
    }
    return v === 1;
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  u64(): number {
    const v = Number(this.view.getBigUint64(this.take(8), true));
    if (!Number.isSafeInteger(v)) {
      throw new Error(`wire: ${v} is more than this host can count`);
    }
    return v;
  }

  f32(): number {
    return this.view.getFloat32(this.take(4), true);
  }

  str(): string {
    const n = this.u32();
    const at = this.take(n);
    return decoder.decode(this.bytes.subarray(at, at + n));
  }

  list<T>(get: () => T): T[] {
    const n = this.u32();
    const items: T[] = [];
    for (let i = 0; i < n; i++) {
      items.push(get());
    }
    return items;
  }

  strs(): string[] {
    return this.list(() => this.str());
  }

  f32s(): Float32Array<ArrayBuffer> {
    const size = 4 * this.u32();
    const at = this.take(size);
    return new Float32Array(this.bytes.slice(at, at + size).buffer);
  }

  templates(): Templates {
    return { category: this.strs(), rationale: this.strs(), conditional: this.strs() };
  }

  /** Returns the message, or throws where bytes are left over. */
  end<T>(message: T): T {
    const rest = this.bytes.length - this.at;
    if (rest > 0) {
      throw new Error(`wire: ${rest} bytes after the end of the message`);
    }
    return message;
  }
}

/** Encodes and decodes one kind of message. Decoding throws on malformed bytes; arrays do not alias them. */
export interface Codec<T> {
  encode(message: T): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): T;
}

function codec<T>(put: (w: Writer, m: T) => void, get: (r: Reader) => T): Codec<T> {
  return {
    encode(message) {
      const w = new Writer();
      put(w, message);
      return w.done();
    },
    decode(bytes) {
      const r = new Reader(bytes);
      return r.end(get(r));
    },
  };
}

export const weightsBegin = codec<WeightsBegin>(
  (w, m) => w.u64(m.size),
  (r) => ({ size: r.u64() }),
);

export const modelInfo = codec<ModelInfo>(
  (w, m) => {
    w.str(m.name);
    w.str(m.scheme);
    w.str(m.license);
    w.str(m.sourceSha256);
    w.str(m.kernel);
    w.u32(m.imageSize);
    w.u32(m.contextLength);
    w.u32(m.projectionDim);
    w.u64(m.parameters);
    w.f32(m.logitScale);
    w.templates(m.templates);
  },
  (r) => ({
    name: r.str(),
    scheme: r.str(),
    license: r.str(),
    sourceSha256: r.str(),
    kernel: r.str(),
    imageSize: r.u32(),
    contextLength: r.u32(),
    projectionDim: r.u32(),
    parameters: r.u64(),
    logitScale: r.f32(),
    templates: r.templates(),
  }),
);

export const labelSet = codec<LabelSet>(
  (w, m) => {
    w.templates(m.templates);
    w.list(m.categories, (c) => {
      w.str(c.name);
      w.strs(c.rationales);
    });
    w.u32(m.cacheBytes);
    w.bool(m.checked);
  },
  (r) => ({
    templates: r.templates(),
    categories: r.list(() => ({ name: r.str(), rationales: r.strs() })),
    cacheBytes: r.u32(),
    checked: r.bool(),
  }),
);

export const labelsInfo = codec<LabelsInfo>(
  (w, m) => {
    w.u32(m.categories);
    w.u32(m.rationales);
    w.strs(m.warnings);
  },
  (r) => ({ categories: r.u32(), rationales: r.u32(), warnings: r.strs() }),
);

export const seed = codec<Seed>(
  (w, m) => {
    w.u8(seedKinds.indexOf(m.kind));
    w.u32(m.first);
    w.u32(m.dim);
    w.f32s(m.data);
  },
  (r) => ({ kind: r.name(seedKinds, "kind of seed"), first: r.u32(), dim: r.u32(), data: r.f32s() }),
);

export const imageBegin = codec<ImageBegin>(
  (w, m) => {
    w.u32(m.width);
    w.u32(m.height);
  },
  (r) => ({ width: r.u32(), height: r.u32() }),
);

export const classifyOptions = codec<ClassifyOptions>(
  (w, m) => {
    w.u8(methods.indexOf(m.method));
    w.u32(m.top);
    w.u32(m.topRationales);
    w.f32(m.coverage);
    w.u32(m.maxRationales);
    w.f32s(m.embedding);
  },
  (r) => ({
    method: r.name(methods, "method"),
    top: r.u32(),
    topRationales: r.u32(),
    coverage: r.f32(),
    maxRationales: r.u32(),
    embedding: r.f32s(),
  }),
);

export const embedBegin = codec<EmbedBegin>(
  (w, m) => w.str(m.text),
  (r) => ({ text: r.str() }),
);

export const embedTexts = codec<EmbedTexts>(
  (w, m) => w.strs(m.texts),
  (r) => ({ texts: r.strs() }),
);

export const progress = codec<Progress>(
  (w, m) => {
    w.u8(phases.indexOf(m.phase));
    w.u32(m.done);
    w.u32(m.total);
  },
  (r) => ({ phase: r.name(phases, "phase"), done: r.u32(), total: r.u32() }),
);

export const answer = codec<Answer>(
  (w, m) => {
    w.u8(methods.indexOf(m.method));
    w.u32(m.kept);
    w.f32(m.uncovered);
    w.list(m.categories, (c) => {
      w.str(c.category);
      w.f32(c.probability);
      w.list(c.rationales, (s) => {
        w.str(s.rationale);
        w.f32(s.joint);
      });
    });
    w.f32s(m.imageEmbedding);
  },
  (r) => ({
    method: r.name(methods, "method"),
    kept: r.u32(),
    uncovered: r.f32(),
    categories: r.list(() => ({
      category: r.str(),
      probability: r.f32(),
      rationales: r.list(() => ({ rationale: r.str(), joint: r.f32() })),
    })),
    imageEmbedding: r.f32s(),
  }),
);

export const embedding = codec<Embedding>(
  (w, m) => w.f32s(m.values),
  (r) => ({ values: r.f32s() }),
);
