/** The WebAssembly module behind a typed interface. */

import * as wire from "./wire";
import { engineProblems } from "./strings";
import { wasi, type WASI } from "./wasi";

/** Exports of the module; docs/architecture.md describes them. */
interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  ecor_abi(): number;
  ecor_input(n: number): number;
  ecor_call(op: number, n: number): number;
  ecor_output(): number;
  ecor_output_len(): number;
}

/** An operation's failure; the module stays usable. */
export class EngineError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The module trapped or ended; only a new instance helps. */
export class EngineDead extends Error {}

/** Settings of one job. */
export interface Job {
  signal?: AbortSignal | undefined;
  onProgress?: (progress: wire.Progress) => void;
}

/** Fields of ClassifyOptions; those left out take the module's defaults. */
export type Classify = Partial<wire.ClassifyOptions>;

const nothing = new Uint8Array(0);

let channel: MessageChannel | undefined;
const yielded: (() => void)[] = [];

/** Lets pending events run, such as a message that cancels. */
export function yieldToEvents(): Promise<void> {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => yielded.shift()?.();
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    yielded.push(resolve);
    port2.postMessage(null);
  });
}

/** One instance of the module. Jobs must not overlap. */
export class Engine {
  private dead = "";

  private constructor(
    private readonly exports: Exports,
    private readonly system: WASI,
  ) {}

  /** Starts an instance of the compiled module. */
  static async start(module: WebAssembly.Module): Promise<Engine> {
    let exports: Exports | undefined;
    const system = wasi(() => exports!.memory);
    const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: system.imports });
    exports = instance.exports as unknown as Exports;
    const engine = new Engine(exports, system);
    engine.guard(() => engine.exports._initialize());
    const abi = engine.guard(() => engine.exports.ecor_abi());
    if (abi !== wire.ABI) {
      throw new EngineDead(engineProblems.version(abi, wire.ABI));
    }
    return engine;
  }

  /** Runs f and remembers a trap, after which nothing can be called any more. */
  private guard<T>(f: () => T): T {
    if (this.dead) {
      throw new EngineDead(this.dead);
    }
    try {
      return f();
    } catch (e) {
      const printed = this.system.printed().split("\n")[0];
      this.dead = engineProblems.stopped(printed || (e as Error).message);
      throw new EngineDead(this.dead);
    }
  }

  /** Calls an operation and returns its response, which the next call overwrites. */
  private call(op: wire.Op, request: Uint8Array = nothing): Uint8Array {
    const { status, response } = this.guard(() => {
      const at = this.exports.ecor_input(request.length);
      if (request.length > 0 && at === 0) {
        return { status: wire.Status.limit, response: undefined };
      }
      new Uint8Array(this.exports.memory.buffer, at, request.length).set(request);
      const status = this.exports.ecor_call(op, request.length);
      const output = this.exports.ecor_output();
      return { status, response: new Uint8Array(this.exports.memory.buffer, output, this.exports.ecor_output_len()) };
    });
    if (response === undefined) {
      throw new EngineError(status, engineProblems.requestSize(request.length, wire.maxRequest));
    }
    if (status !== wire.Status.ok) {
      throw new EngineError(status, new TextDecoder().decode(response));
    }
    return response;
  }

  /** Streams a weights file of the given size in bytes into the module. onChunk sees each piece and how many bytes there were so far. */
  async loadWeights(
    size: number,
    body: ReadableStream<Uint8Array>,
    onChunk?: (chunk: Uint8Array, bytes: number) => void,
  ): Promise<wire.ModelInfo> {
    this.call(wire.Op.weightsBegin, wire.weightsBegin.encode({ size }));
    const reader = body.getReader();
    let loaded = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      for (let at = 0; at < value.length; at += wire.maxRequest) {
        this.call(wire.Op.weightsChunk, value.subarray(at, at + wire.maxRequest));
      }
      loaded += value.length;
      onChunk?.(value, loaded);
    }
    return wire.modelInfo.decode(this.call(wire.Op.weightsEnd));
  }

  setLabels(labels: wire.LabelSet): wire.LabelsInfo {
    return wire.labelsInfo.decode(this.call(wire.Op.setLabels, wire.labelSet.encode(labels)));
  }

  /** Sends precomputed embeddings, (count, dim) row after row, of the current labels. */
  seed(kind: wire.SeedKind, dim: number, data: Float32Array): void {
    const rows = Math.floor((wire.maxRequest - 64) / (4 * dim));
    for (let first = 0; first * dim < data.length; first += rows) {
      const part = data.subarray(first * dim, (first + rows) * dim);
      this.call(wire.Op.seed, wire.seed.encode({ kind, first, dim, data: part }));
    }
  }

  /** Announces a photo; its rows follow. */
  beginImage(width: number, height: number): void {
    this.call(wire.Op.imageBegin, wire.imageBegin.encode({ width, height }));
  }

  /** Sends the photo's next rows of RGBA pixels, whole rows and at most 4 MiB. */
  imageRows(rgba: Uint8Array): void {
    this.call(wire.Op.imageRows, rgba);
  }

  /** Classifies the photo that was sent last, or options.embedding. */
  async classify(options: Classify, job: Job = {}): Promise<wire.Answer> {
    return wire.answer.decode(await this.classifyBytes(options, job));
  }

  /** As classify, but returns the answer's bytes as the module wrote them. */
  async classifyBytes(options: Classify, job: Job = {}): Promise<Uint8Array<ArrayBuffer>> {
    const request: wire.ClassifyOptions = {
      method: "ecor",
      top: 0,
      topRationales: 0,
      coverage: 0,
      maxRationales: 0,
      embedding: new Float32Array(0),
      ...options,
    };
    this.call(wire.Op.classifyBegin, wire.classifyOptions.encode(request));
    await this.finish(job);
    return this.call(wire.Op.answer).slice();
  }

  /** Returns the unit-length embeddings of texts. */
  async embedTexts(texts: readonly string[], job: Job = {}): Promise<Float32Array[]> {
    if (texts.length === 0) {
      return [];
    }
    this.call(wire.Op.embedTexts, wire.embedTexts.encode({ texts: [...texts] }));
    const all = await this.embedded(job);
    const dim = all.length / texts.length;
    return texts.map((_, i) => all.slice(i * dim, (i + 1) * dim));
  }

  /** Returns the unit-length embedding of the photo that was sent last. */
  async embedImage(job: Job = {}): Promise<Float32Array> {
    this.call(wire.Op.embedBegin, wire.embedBegin.encode({ text: "" }));
    return this.embedded(job);
  }

  private async embedded(job: Job): Promise<Float32Array> {
    await this.finish(job);
    return wire.embedding.decode(this.call(wire.Op.embedding)).values;
  }

  /** Steps the current job to its end, or cancels it where the signal says so. */
  private async finish({ signal, onProgress }: Job): Promise<void> {
    for (;;) {
      if (signal?.aborted) {
        this.call(wire.Op.cancel);
        signal.throwIfAborted();
      }
      const progress = wire.progress.decode(this.call(wire.Op.step));
      onProgress?.(progress);
      if (progress.phase === "done") {
        return;
      }
      await yieldToEvents();
    }
  }
}
