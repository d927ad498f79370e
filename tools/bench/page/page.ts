/** What tools/bench calls in a tab of its own: the kernels, and the page's pool with one of the page's workers. */

import { Pool } from "../../../www/src/pool";
import type { Scored } from "../../../www/src/protocol";
import { wasi } from "../../../www/src/wasi";

let worker: Worker;
const pool = new Pool({
  base: document.baseURI,
  startWorker: () => (worker = new Worker("bench-worker.js")),
  workers: () => 1,
  idle: 3_600_000,
});
let measure: (index: number, calls: number) => number;
const photos = new Map<number, Promise<Blob>>();

function photo(index: number): Promise<Blob> {
  let blob = photos.get(index);
  if (!blob) {
    blob = fetch(`bench-photo/${index}`).then((r) => r.blob());
    photos.set(index, blob);
  }
  return blob;
}

/** Sends the worker a question of its own and returns the answer. */
function ask(question: "memory" | string[]): Promise<number> {
  const channel = new MessageChannel();
  const answer = new Promise<number>((resolve) => {
    channel.port1.onmessage = (event: MessageEvent<number>) => resolve(event.data);
  });
  worker.postMessage(question, [channel.port2]);
  return answer;
}

const bench = {
  /** Starts the module of tools/bench/kernels. */
  startKernels: async (): Promise<void> => {
    let memory: WebAssembly.Memory | undefined;
    const { instance } = await WebAssembly.instantiateStreaming(fetch("bench-kernels.wasm"), {
      wasi_snapshot_preview1: wasi(() => memory!).imports,
    });
    memory = instance.exports["memory"] as WebAssembly.Memory;
    (instance.exports["_initialize"] as () => void)();
    measure = instance.exports["measure"] as typeof measure;
  },

  /** Seconds for one call of a kernel. */
  kernel: (index: number, calls: number): number => measure(index, calls),

  /** Starts the worker with the site's model and labels. */
  start: async (): Promise<void> => {
    await pool.load({});
  },

  /** Has the module forget the conditional prompts that it encoded. */
  forget: async (): Promise<void> => {
    const pack = pool.labels;
    await pool.setLabels({ ...pack, templates: { ...pack.templates, conditional: ["{r} {c}"] } });
    await pool.setLabels(pack);
  },

  /** Classifies a photo. Times in milliseconds; total is the time that the page waits. */
  classify: async (index: number): Promise<object> => {
    const file = await photo(index);
    const start = performance.now();
    const { result } = await pool.run<Scored>({ type: "classify", source: file, settings: { method: "ecor", first: false } }, {});
    const { answer, timings } = result;
    return { ...timings, total: performance.now() - start, kept: answer.kept };
  },

  /** Bytes of the worker's module. */
  memory: (): Promise<number> => ask("memory"),

  /** Milliseconds that the worker takes for texts one after another. */
  alone: (texts: string[]): Promise<number> => ask(texts),
};

Object.assign(globalThis, { bench });
