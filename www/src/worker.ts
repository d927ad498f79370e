/** A worker: one instance of the module. It does one thing after another, and opens the next photo meanwhile. */

import type { LoadProgress, Note, Pack, Photo } from "./api";
import type { Site } from "./assets";
import { canvasIsFaithful, open, type Decoded } from "./decode";
import { readEmbeddings } from "./embeddings";
import { Engine, EngineDead, type Classify, type Job } from "./engine";
import { SiteFiles, WrongFile } from "./files";
import { parsePack } from "./labels";
import { compileModule } from "./module";
import type { Loaded, Order, Reply, Request, Result, Scored, Settings, Start } from "./protocol";
import { watchTraffic } from "./report";
import { SHA256 } from "./sha256";
import { engineProblems } from "./strings";
import type { Answer, LabelsInfo, Phase } from "./wire";

declare const self: DedicatedWorkerGlobalScope;

// www/site defines it.
declare const SITE: Site;

/** Pieces of the weights, of a megabyte each, that may arrive while the module is compiled. */
const weightsAhead = 8;

/** Photos of at most so many pixels are decoded while another one is worked on. */
const maxAhead = 24_000_000;

/** Methods that read the prompts of category and rationale together. */
const slowMethods: readonly string[] = ["ecor", "inverted", "joint"];

/** The engine, with what is needed to go back to the site's own labels. */
interface Model {
  engine: Engine;
  files: SiteFiles;
  sha256: string; // of the weights
}

let model: Model | undefined;
let turn: Promise<unknown> = Promise.resolve(); // ends when the order before has ended
const controllers = new Map<number, AbortController>();

watchTraffic("worker", (requests, violations) => reply({ type: "report", requests, violations }));

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if ("cancel" in data) {
    controllers.get(data.cancel)?.abort();
  } else {
    void run(data.id, data.order);
  }
};

/** What an order has at hand while it is carried out. */
interface Context {
  id: number;
  signal: AbortSignal;
  /** Resolves when it is this order's turn to use the engine. */
  turn: Promise<unknown>;
}

async function run(id: number, order: Order): Promise<void> {
  const controller = new AbortController();
  controllers.set(id, controller);
  const { signal } = controller;
  const done = carryOut(order, { id, signal, turn });
  turn = Promise.allSettled([turn, done]).then(() => undefined); // what came out is not kept
  try {
    reply({ type: "done", id, result: await done });
  } catch (e) {
    const kind = e instanceof EngineDead ? "dead" : "refused";
    reply({ type: "failed", id, reason: e instanceof Error ? e.message : String(e), kind });
  } finally {
    controllers.delete(id);
  }
}

function reply(message: Reply): void {
  self.postMessage(message);
}

async function carryOut(order: Order, context: Context): Promise<Result> {
  switch (order.type) {
    case "load":
      return load(order.start, (progress) => reply({ type: "loading", id: context.id, progress }));
    case "setLabels":
      await context.turn;
      return order.pack ? setLabels(ready().engine, order.pack) : (await setSiteLabels(ready(), siteLabels(ready().files))).info;
    case "classify":
      return classify(order.source, order.settings, context);
    case "embedImage": {
      const { photo } = await openPhoto(order.source, context);
      try {
        await context.turn;
        await sendPhoto(photo, context);
      } finally {
        photo.close();
      }
      return ready().engine.embedImage(telling(context));
    }
    case "embedText":
      await context.turn;
      return ready().engine.embedTexts(order.texts, telling(context));
  }
}

/** A job that tells of every step: a worker that says nothing for long counts as dead. */
function telling({ id, signal }: Context): Job {
  return { signal, onProgress: (progress) => reply({ type: "progress", id, progress }) };
}

function ready(): Model {
  if (!model) {
    throw new Error(engineProblems.notLoaded);
  }
  return model;
}

async function load(start: Start, onProgress: (progress: LoadProgress) => void): Promise<Loaded> {
  try {
    return await loadFrom(new SiteFiles(SITE, start.base), start, onProgress);
  } catch (e) {
    if (!(e instanceof WrongFile)) {
      throw e;
    }
    // What the browser had kept of an earlier visit may be damaged.
    return loadFrom(new SiteFiles(SITE, start.base, "reload"), start, onProgress);
  }
}

/** Loads the model and the labels; the weights arrive while the module is compiled. */
async function loadFrom(files: SiteFiles, start: Start, onProgress: (progress: LoadProgress) => void): Promise<Loaded> {
  const { site } = files;
  const asked = start.weights ? start.weights.stream() : files.open(site.weights, weightsAhead).then((r) => r.body!);
  const labels = start.pack ? undefined : siteLabels(files);
  // Where the module fails first, it is reported, and these must not count as unhandled.
  void Promise.allSettled([asked, labels?.pack, labels?.embeddings]);

  onProgress({ phase: "module", done: 0, total: 1 });
  const module = start.module ?? (await compileModule(files));
  const engine = await Engine.start(module);
  onProgress({ phase: "module", done: 1, total: 1 });

  const bytes = start.weights?.size ?? site.weights.size;
  const hash = new SHA256();
  const info = await engine.loadWeights(bytes, await asked, (chunk, done) => {
    if (start.weights && !start.known) {
      hash.update(chunk);
    }
    onProgress({ phase: "weights", done, total: bytes });
  });
  const sha256 = start.weights ? (start.known ?? hash.hex()) : site.weights.sha256;
  if (start.wanted && start.wanted !== sha256) {
    throw new Error(engineProblems.otherWeights(sha256, start.wanted));
  }

  const notes: Note[] = [];
  onProgress({ phase: "labels", done: 0, total: 1 });
  model = { engine, files, sha256 };
  let { pack } = start;
  if (labels) {
    const set = await setSiteLabels(model, labels);
    pack = set.pack;
    if (!set.fits) {
      notes.push("embeddings do not fit");
    }
  } else {
    setLabels(engine, pack!);
  }
  onProgress({ phase: "labels", done: 1, total: 1 });
  if (!(await canvasIsFaithful())) {
    notes.push("pixels are altered");
  }
  return {
    model: { ...info, bytes, sha256, shipped: !start.weights, version: site.version },
    module,
    pack: pack!,
    notes,
  };
}

/** The site's own labels on their way, with their embeddings where there are some. */
interface SiteLabels {
  pack: Promise<Pack>;
  embeddings: Promise<ArrayBuffer | undefined>;
}

function siteLabels(files: SiteFiles): SiteLabels {
  const { labels, embeddings } = files.site;
  return {
    pack: files.open(labels).then(async (r) => parsePack(await r.text())),
    embeddings: Promise.resolve(embeddings && files.open(embeddings).then((r) => r.arrayBuffer())).then((file) => file ?? undefined),
  };
}

/** Sets the site's labels; fits says whether no embeddings belong to other weights. */
async function setSiteLabels({ engine, files, sha256 }: Model, { pack, embeddings }: SiteLabels): Promise<{ pack: Pack; info: LabelsInfo; fits: boolean }> {
  // Those who made the embeddings were told of labels that are too long for these weights.
  const checked = files.site.embeddings !== null && sha256 === files.site.weights.sha256;
  const info = setLabels(engine, await pack, checked);
  const file = await embeddings;
  const rows = file && readEmbeddings(file, sha256, files.site.labels.sha256);
  if (rows) {
    engine.seed("categories", rows.dim, rows.category);
    engine.seed("rationales", rows.dim, rows.rationale);
  }
  return { pack: await pack, info, fits: !file || rows !== undefined };
}

function setLabels(engine: Engine, { templates, categories }: Pack, checked = false): LabelsInfo {
  return engine.setLabels({ templates, categories, cacheBytes: 0, checked });
}

/** A photo that is decoded, with the milliseconds that this took. */
interface Ready {
  photo: Decoded;
  decode: number;
}

/** Decodes a photo, before its turn where it is not too large. */
async function openPhoto(source: Blob | ImageBitmap, { signal, turn }: Context): Promise<Ready> {
  let start = performance.now();
  const opened = await open(source);
  if (opened.pixels > maxAhead) {
    await turn;
    start = performance.now();
  }
  signal.throwIfAborted();
  const photo = await opened.decode();
  return { photo, decode: performance.now() - start };
}

async function classify(source: Blob | ImageBitmap | Float32Array, settings: Settings, context: Context): Promise<Scored> {
  const timings: Scored["timings"] = { decode: 0, resize: 0, image: 0, stage1: 0, stage2: 0 };
  const { first, thumbnail = 480, method = "ecor", top = 5, topRationales = 5, coverage = 0, maxRationales = 0 } = settings;
  const options: Classify = { method, top, topRationales, coverage, maxRationales };
  let shown: Photo | undefined;
  if (source instanceof Float32Array) {
    await context.turn;
    options.embedding = source;
  } else {
    const { photo, decode } = await openPhoto(source, context);
    timings.decode = decode;
    try {
      const { width, height } = photo;
      shown = { width, height, thumbnail: thumbnail > 0 ? await photo.thumbnail(thumbnail) : undefined };
      reply({ type: "decoded", id: context.id, photo: shown });
      await context.turn;
      await sendPhoto(photo, context, timings);
    } finally {
      photo.close();
    }
  }
  if (first && slowMethods.includes(method)) {
    const byName = await score({ ...options, method: "clip" }, context, timings);
    reply({ type: "first", id: context.id, answer: byName });
    options.embedding = byName.imageEmbedding;
  }
  return { answer: await score(options, context, timings), photo: shown, timings };
}

/** Sends a photo's pixels into the module. */
async function sendPhoto(photo: Decoded, { signal }: Context, timings = { decode: 0, resize: 0 }): Promise<void> {
  let last = performance.now();
  const lap = (key: "decode" | "resize") => {
    const now = performance.now();
    timings[key] += now - last;
    last = now;
  };
  const { engine } = ready();
  engine.beginImage(photo.width, photo.height);
  for await (const band of photo.rows()) {
    signal.throwIfAborted();
    lap("decode");
    engine.imageRows(band);
    lap("resize");
  }
}

async function score(options: Classify, { id, signal }: Context, timings: Scored["timings"]): Promise<Answer> {
  const phase: { [P in Phase]?: "image" | "stage1" | "stage2" } = { image: "image", stage1: "stage1", stage2: "stage2" };
  let last = performance.now();
  let at: "image" | "stage1" | "stage2" = options.embedding ? "stage1" : "image";
  return ready().engine.classify(options, {
    signal,
    onProgress: (progress) => {
      const now = performance.now();
      at = phase[progress.phase] ?? at; // the last step of all says "done"
      timings[at] += now - last;
      last = now;
      reply({ type: "progress", id, progress });
    },
  });
}
