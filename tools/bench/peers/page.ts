/** The page that main.go writes, and its workers, in one script. */

import { Engine } from "../../../www/src/engine";

interface Load {
  key: string;
  threads: number;
  image: number; // side of the tower's input
}

type Order = { image: number } | { photos: number };

/** A worker's answer: what its order took in milliseconds, or what went wrong. */
type Report = number | string;

/** A worker's engine: it loads, then computes the embedding of as many photos as asked. Sending them is not measured. */
function work(): void {
  let engine: Engine;
  let side: number;
  let pixels: Uint8Array;
  const load = async (image: number): Promise<number> => {
    const start = performance.now();
    const weights = fetch("weights.safetensors");
    engine = await Engine.start(await WebAssembly.compileStreaming(fetch("module.wasm")));
    const { headers, body } = await weights;
    await engine.loadWeights(Number(headers.get("content-length")), body!);
    side = image;
    pixels = Uint8Array.from({ length: 4 * side * side }, (_, i) => (i * i * 7 + i * 13) % 251);
    return performance.now() - start;
  };
  const embed = async (photos: number): Promise<number> => {
    let spent = 0;
    for (let i = 0; i < photos; i++) {
      engine.beginImage(side, side);
      engine.imageRows(pixels);
      const start = performance.now();
      const embedding = await engine.embedImage();
      spent += performance.now() - start;
      if (!(Math.abs(embedding[0]!) <= 1)) {
        throw new Error(`the embedding begins with ${embedding[0]}`);
      }
    }
    return spent;
  };
  const report = (what: Report) => postMessage(what);
  onmessage = ({ data }: MessageEvent<Order>) => {
    ("image" in data ? load(data.image) : embed(data.photos)).then(report, (e) => report(String(e)));
  };
}

const workers: Worker[] = [];

function ask(worker: Worker, order: Order): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Report>) => (typeof data === "string" ? reject(new Error(data)) : resolve(data));
    worker.onerror = (e) => reject(new Error(e.message));
    worker.postMessage(order);
  });
}

const bench = {
  async load({ key, threads, image }: Load): Promise<{ createMs: number }> {
    if (key !== "v") {
      throw new Error(`there is no tower ${key} here, only v`);
    }
    for (let i = 0; i < threads; i++) {
      workers.push(new Worker("bench.js"));
    }
    return { createMs: Math.max(...(await Promise.all(workers.map((w) => ask(w, { image }))))) };
  },

  async run(_key: string, kind: string, warm: number, n: number): Promise<number[]> {
    const photos = Number(kind.slice(1));
    const times: number[] = [];
    for (let i = 0; i < warm + n; i++) {
      // Photos are dealt out; a worker that gets none waits.
      const shares = workers.map((_, k) => Math.floor((photos + k) / workers.length));
      const spent = await Promise.all(workers.map((w, k) => (shares[k]! > 0 ? ask(w, { photos: shares[k]! }) : 0)));
      if (i >= warm) {
        times.push(Math.max(...spent));
      }
    }
    return times;
  },
};

if (typeof document === "undefined") {
  work();
} else {
  Object.assign(globalThis, { bench, ready: true, info: () => ({ isolated: crossOriginIsolated }) });
}
