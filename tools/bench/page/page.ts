/** What tools/bench calls in a tab of its own: the kernels, and the page's client with the page's worker. */

import { Client } from "../../../www/src/client";
import type { Pack } from "../../../www/src/labels";
import { wasi } from "../../../www/src/wasi";

let worker: Worker;
const client = new Client(() => (worker = new Worker("bench-worker.js")));
let pack: Pack;
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
    pack = (await client.load()).pack;
  },

  /** Has the module forget the conditional prompts that it encoded. */
  forget: async (): Promise<void> => {
    await client.setLabels({ ...pack, templates: { ...pack.templates, conditional: ["{r} {c}"] } });
    await client.setLabels(pack);
  },

  /** Classifies a photo. Times in milliseconds; total is the time that the page waits. */
  classify: async (index: number): Promise<object> => {
    const file = await photo(index);
    const start = performance.now();
    const { answer, timings } = await client.classify(file, "ecor");
    return { ...timings, total: performance.now() - start, kept: answer.kept };
  },

  /** Bytes of the worker's module. */
  memory: (): Promise<number> => {
    const channel = new MessageChannel();
    const bytes = new Promise<number>((resolve) => {
      channel.port1.onmessage = (event: MessageEvent<number>) => resolve(event.data);
    });
    worker.postMessage({ type: "memory" }, [channel.port2]);
    return bytes;
  },
};

Object.assign(globalThis, { bench });
