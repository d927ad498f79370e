/** ecor.js: see api.ts, which documents all of this. */

import type * as api from "./api";
import { cacheName, cachePrefix } from "./assets";
import { Pool } from "./pool";
import type { Scored, Settings } from "./protocol";
import { scriptURL } from "./trusted";

export { EcorError } from "./error";
export { jointTable } from "./joint";
export { onTraffic, requestsSinceLoad } from "./traffic";

const mostWorkers = 8;
const defaultIdle = 20_000; // milliseconds

export async function load(options: api.LoadOptions = {}): Promise<api.Ecor> {
  const { workers, idle = defaultIdle, keepsLast = () => false, weights, labels, onProgress, signal } = options;
  signal?.throwIfAborted();
  const base = new URL(".", new URL(options.base ?? import.meta.url, document.baseURI)).href;
  const script = scriptURL("worker.js", base);
  const pool = new Pool({
    base,
    idle,
    keepsLast,
    workers: (model) => Math.min(mostWorkers, Math.max(1, Math.floor(workers ?? workersOf(navigator, model)))),
    startWorker: () => new Worker(script),
  });
  const abort = () => pool.dispose();
  signal?.addEventListener("abort", abort);
  try {
    await pool.load({ weights, pack: labels }, onProgress);
  } catch (e) {
    pool.dispose();
    throw signal?.aborted ? signal.reason : e;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  void forgetOldVersions(base, pool.model.version);
  return new PooledEcor(pool, base);
}

/** What a browser tells of its device; memory in GiB, at most 8. */
interface Device {
  hardwareConcurrency?: number;
  deviceMemory?: number;
}

/** Bytes of a worker's memory beside the weights: the module, a photo on its way, embeddings of prompts. */
const workerBytes = 60e6;

/**
 * Workers for a device and a model: one for each core but that of the page, about one for each gigabyte, and no more than have
 * room with their weights in a third of the memory.
 */
export function workersOf({ hardwareConcurrency, deviceMemory = 4 }: Device, { scheme, parameters }: Pick<api.ModelInfo, "scheme" | "parameters">): number {
  const cores = hardwareConcurrency ?? 2;
  const weights = parameters * (scheme === "w8a7" || scheme === "w4a7" ? 1 : 4);
  const room = Math.floor((deviceMemory * 2 ** 30) / 3 / (weights + workerBytes));
  return Math.max(1, Math.min(mostWorkers, cores > 2 ? cores - 1 : cores, Math.floor(deviceMemory), room));
}

/** Deletes files that earlier versions kept, unless there is a service worker, which sees to this itself. */
async function forgetOldVersions(base: string, version: string): Promise<void> {
  try {
    if (await navigator.serviceWorker.getRegistration(base)) {
      return;
    }
    for (const name of await caches.keys()) {
      if (name.startsWith(cachePrefix(base)) && name !== cacheName(base, version)) {
        await caches.delete(name);
      }
    }
  } catch {
    // This browser keeps nothing here.
  }
}

class PooledEcor implements api.Ecor {
  private readonly onController = () => this.pool.renew();

  constructor(
    private readonly pool: Pool,
    base: string,
  ) {
    // A worker keeps the policy that it was started under; once the service
    // worker answers requests, that is the stricter one.
    const { serviceWorker } = navigator;
    if (serviceWorker && !serviceWorker.controller && location.href.startsWith(base)) {
      serviceWorker.addEventListener("controllerchange", this.onController, { once: true });
    }
  }

  get model() {
    return this.pool.model;
  }

  get labels() {
    return this.pool.labels;
  }

  get notes() {
    return this.pool.notes;
  }

  get stats() {
    return this.pool.stats;
  }

  setLabels(pack: api.Pack): Promise<api.LabelsInfo> {
    return this.pool.setLabels(pack);
  }

  async classify(source: api.Source, options: api.ClassifyOptions = {}): Promise<api.Classified> {
    const { signal, priority, id, onDecoded, onProgress, onFirst, ...rest } = options;
    const settings: Settings = { ...rest, first: onFirst !== undefined };
    const ask = { signal, priority, onDecoded, onProgress, onFirst };
    const { result, labels, wait } = await this.pool.run<Scored>({ type: "classify", source, settings }, ask);
    const { answer, photo, timings } = result;
    return { id, answer, embedding: answer.imageEmbedding, photo, labels, timings: { wait, ...timings } };
  }

  async embedImage(source: Blob | ImageBitmap, options: api.JobOptions = {}): Promise<Float32Array> {
    return (await this.pool.run<Float32Array>({ type: "embedImage", source }, options)).result;
  }

  async embedText(texts: readonly string[], options: api.JobOptions = {}): Promise<Float32Array[]> {
    return (await this.pool.run<Float32Array[]>({ type: "embedText", texts }, options)).result;
  }

  openWeights(file: Blob | undefined, options: { sha256?: string; onProgress?: (progress: api.LoadProgress) => void } = {}): Promise<api.ModelInfo> {
    return this.pool.openWeights({ weights: file, wanted: options.sha256?.toLowerCase() }, options.onProgress);
  }

  pause(): void {
    this.pool.pause();
  }

  resume(): void {
    this.pool.resume();
  }

  async dispose(): Promise<void> {
    navigator.serviceWorker?.removeEventListener("controllerchange", this.onController);
    this.pool.dispose();
  }
}
