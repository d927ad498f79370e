/** The worker: one instance of the module, one request at a time. */

import type { Assets, SiteFile } from "./assets";
import { canvasIsFaithful, decode } from "./decode";
import { readEmbeddings } from "./embeddings";
import { Engine, EngineDead, type Classify } from "./engine";
import { parsePack, type Pack } from "./labels";
import type { Classified, Failure, Loaded, Note, Reply, Request, Timings } from "./protocol";
import type { LabelsInfo, Phase } from "./wire";

declare const self: DedicatedWorkerGlobalScope;

const topCategories = 5;
const topRationales = 5;

let engine: Engine | undefined;
let running = 0; // id of the request in progress
let abort = new AbortController();

self.onmessage = (event: MessageEvent<Request>) => {
  const request = event.data;
  if (request.type === "cancel") {
    if (request.id === running) {
      abort.abort();
    }
    return;
  }
  void run(request);
};

async function run(request: Exclude<Request, { type: "cancel" }>): Promise<void> {
  running = request.id;
  abort = new AbortController();
  const { id } = request;
  try {
    switch (request.type) {
      case "load":
        return reply({ type: "done", id, result: await load(id) });
      case "setLabels":
        return reply({ type: "done", id, result: setLabels(request.pack) });
      case "classify":
        return reply({ type: "done", id, result: await classify(request) });
    }
  } catch (e) {
    reply({ type: "failed", id, reason: reasonOf(e), kind: kindOf(e) });
  }
}

function reply(message: Reply): void {
  self.postMessage(message);
}

function reasonOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}

function kindOf(e: unknown): Failure {
  if (abort.signal.aborted) {
    return "cancelled";
  }
  return e instanceof EngineDead ? "dead" : "refused";
}

function ready(): Engine {
  if (!engine) {
    throw new Error("the model is not loaded");
  }
  return engine;
}

async function load(id: number): Promise<Loaded> {
  const assets = (await (await get("assets.json")).json()) as Assets;
  const file = (path: string): SiteFile => {
    const found = assets.files.find((f) => f.path === path);
    if (!found) {
      throw new Error(`assets.json does not list ${path}`);
    }
    return found;
  };
  const notes: Note[] = [];
  const weights = file(assets.weights);
  const started = await Engine.start(get(assets.module));
  const body = (await get(weights.path)).body;
  if (!body) {
    throw new Error(`${weights.path} is empty`);
  }
  const info = await started.loadWeights(weights.size, body, (done) => {
    reply({ type: "loading", id, done, total: weights.size });
  });

  const labels = file(assets.labels);
  const pack = parsePack(await (await get(labels.path)).text());
  started.setLabels(labelSet(pack));
  if (assets.embeddings) {
    const rows = readEmbeddings(await (await get(assets.embeddings)).arrayBuffer(), weights.sha256, labels.sha256);
    if (rows) {
      started.seed("categories", rows.dim, rows.category);
      started.seed("rationales", rows.dim, rows.rationale);
    } else {
      notes.push("embeddings do not fit");
    }
  }
  if (!(await canvasIsFaithful())) {
    notes.push("pixels are altered");
  }
  engine = started;
  return { info, pack, version: assets.version, notes };
}

async function get(path: string): Promise<Response> {
  const response = await fetch(path);
  if (!response.ok) {
    throw new Error(`${path}: the server answered ${response.status} ${response.statusText}`);
  }
  return response;
}

function labelSet(pack: Pack) {
  return { templates: pack.templates, categories: pack.categories, cacheBytes: 0 };
}

function setLabels(pack: Pack): LabelsInfo {
  return ready().setLabels(labelSet(pack));
}

async function classify(request: Extract<Request, { type: "classify" }>): Promise<Classified> {
  const { id, source, method } = request;
  const timings: Timings = { decode: 0, resize: 0, image: 0, stage1: 0, stage2: 0 };
  const options: Classify = { method, top: topCategories, topRationales };
  if (source instanceof Blob) {
    await sendPhoto(id, source, timings);
  } else {
    options.embedding = source;
  }
  const phase: { [P in Phase]?: keyof Timings } = { image: "image", stage1: "stage1", stage2: "stage2" };
  let last = performance.now();
  let at: keyof Timings = source instanceof Blob ? "image" : "stage1";
  const answer = await ready().classify(options, {
    signal: abort.signal,
    onProgress: (p) => {
      const now = performance.now();
      at = phase[p.phase] ?? at; // the last step of all says "done"
      timings[at] += now - last;
      last = now;
      reply({ type: "progress", id, phase: p.phase, done: p.done, total: p.total });
    },
  });
  return { answer, timings };
}

/** Decodes a file and sends its pixels into the module. */
async function sendPhoto(id: number, file: Blob, timings: Timings): Promise<void> {
  let last = performance.now();
  const lap = (key: "decode" | "resize") => {
    const now = performance.now();
    timings[key] += now - last;
    last = now;
  };
  const photo = await decode(file);
  try {
    const { width, height } = photo;
    lap("decode");
    reply({ type: "decoded", id, photo: { width, height, thumbnail: await photo.thumbnail() } });
    ready().beginImage(width, height);
    last = performance.now();
    for await (const band of photo.rows()) {
      abort.signal.throwIfAborted();
      lap("decode");
      ready().imageRows(band);
      lap("resize");
    }
  } finally {
    photo.close();
  }
}
