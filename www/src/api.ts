/**
 * ecor.js: names what is in a photo and says why, in the browser of the person
 * who looks at it. This file is also the ecor.d.ts beside the script.
 *
 *     import { load } from "./ecor/ecor.js";
 *     const ecor = await load();
 *     const { answer } = await ecor.classify(file);
 *     console.log(answer.categories[0].category, answer.categories[0].rationales);
 *     await ecor.dispose();
 */

/**
 * Loads the model that lies beside ecor.js, or other weights. Rejects with an
 * EcorError where a file is missing, is not the one that the site was built
 * with, or is refused by the engine.
 */
export declare function load(options?: LoadOptions): Promise<Ecor>;

export interface LoadOptions {
  /** Folder with worker.js, the module and the model, of the page's own origin. Default: that of ecor.js. */
  base?: URL | string | undefined;
  /** Most workers, 1 to 8; each holds the model once. Default: by the device's cores and memory and the model's size. */
  workers?: number | undefined;
  /** Browser weights to use instead of the shipped ones. */
  weights?: Blob | undefined;
  /** Labels to use instead of the shipped ones. */
  labels?: Pack | undefined;
  /** Milliseconds after which workers without work are ended, the last one after ten times that. Default: 20 000. */
  idle?: number | undefined;
  /** Asked whether the last worker stays all the same, such as where none could be started without a server. Default: it does not. */
  keepsLast?: (() => boolean) | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface LoadProgress {
  phase: "module" | "weights" | "labels";
  done: number; // bytes
  total: number;
}

/** One model, one label set and the workers that classify with them. */
export interface Ecor {
  readonly model: ModelInfo;
  /** The labels that photos are classified into from now on. */
  readonly labels: Pack;
  /** Things that are worth telling people about this browser or these files. */
  readonly notes: readonly Note[];
  readonly stats: Stats;

  /**
   * Sets what photos are classified into, those that wait included. Where the
   * engine refuses the labels, the ones before stay.
   */
  setLabels(pack: Pack): Promise<LabelsInfo>;

  /**
   * Classifies a photo: an image file, a bitmap, or the embedding that an
   * earlier call brought, which needs no work on pixels. Rejects with an
   * EcorError, or with the signal's reason.
   */
  classify(source: Source, options?: ClassifyOptions): Promise<Classified>;

  /** Returns a photo's unit-length embedding. */
  embedImage(source: Blob | ImageBitmap, options?: JobOptions): Promise<Float32Array>;

  /** Returns the unit-length embeddings of texts, as they are, without a template. */
  embedText(texts: readonly string[], options?: JobOptions): Promise<Float32Array[]>;

  /**
   * Takes other browser weights, or the site's own again where there is no file;
   * where sha256 is given, only a file with that hash. Refused weights change
   * nothing: the model before stays. Embeddings of one model mean nothing to
   * another.
   */
  openWeights(file: Blob | undefined, options?: { sha256?: string; onProgress?: (progress: LoadProgress) => void }): Promise<ModelInfo>;

  /** Starts no more work; what runs goes on. */
  pause(): void;
  resume(): void;

  /** Ends all workers, which gives their memory back. Requests that are not done reject with an AbortError. */
  dispose(): Promise<void>;
}

export type Source = Blob | ImageBitmap | Float32Array;

export interface ModelInfo {
  name: string;
  license: string;
  /** How weights are stored: "float32", "w8a7", … */
  scheme: string;
  /** Name of the engine's kernel set. */
  kernel: string;
  bytes: number; // of the weights file
  sha256: string; // of the weights file, lower-case hex
  sourceSha256: string; // of the checkpoint that the weights were made from
  parameters: number;
  imageSize: number; // pixels
  contextLength: number; // tokens
  projectionDim: number; // values of an embedding
  logitScale: number;
  templates: Templates;
  shipped: boolean; // with the site; false for weights from elsewhere
  version: string; // of the site
}

/** Things that are worth saying about this browser or these files. */
export type Note =
  | "embeddings do not fit" // the pack's prepared embeddings belong to other weights; prompts are encoded
  | "pixels are altered"; // the browser changes pixels that a page reads back

/** Label packs; docs/architecture.md has the file format. */
export interface Pack {
  name: string;
  language: string; // as in BCP 47
  author: string;
  license: string;
  templates: Templates; // an empty list takes the weights' own
  categories: Category[];
}

export interface Templates {
  category: string[]; // {c}
  rationale: string[]; // {r}
  conditional: string[]; // {c} and {r}
}

export interface Category {
  name: string;
  rationales: string[];
}

export interface LabelsInfo {
  categories: number;
  rationales: number; // distinct
  warnings: string[]; // for people: labels that are cut at the token limit, …
}

export type Method = "ecor" | "clip" | "independent" | "inverted" | "joint";

export interface JobOptions {
  signal?: AbortSignal | undefined;
  /** Higher ones are started first, equal ones in the order of the calls. Default: 0. */
  priority?: number | undefined;
}

export interface ClassifyOptions extends JobOptions {
  method?: Method | undefined; // default: ecor
  /** Comes back with the result. */
  id?: unknown;
  top?: number | undefined; // categories in the answer, default 5
  topRationales?: number | undefined; // rationales of each, default 5
  coverage?: number | undefined; // stage-1 mass that the kept rationales reach, default 0.99
  maxRationales?: number | undefined; // most rationales kept, default 32
  thumbnail?: number | undefined; // longest side of the thumbnail in pixels, default 480; 0 makes none
  onDecoded?: ((photo: Photo) => void) | undefined;
  onProgress?: ((progress: JobProgress) => void) | undefined;
  /** Gets the answer by category names alone, before conditional prompts are looked at. */
  onFirst?: ((answer: Answer) => void) | undefined;
}

export interface JobProgress {
  phase: "image" | "stage1" | "stage2" | "done";
  done: number; // layers, prompts or kept rationales
  total: number;
}

export interface Classified {
  id: unknown;
  answer: Answer;
  embedding: Float32Array; // answer.imageEmbedding
  photo: Photo | undefined; // undefined where an embedding was classified
  labels: Pack; // that the answer is about: the object that was set
  timings: Timings;
}

export interface Answer {
  method: Method;
  kept: number; // rationales that stage 2 was computed for
  uncovered: number; // stage-1 mass of the others
  categories: CategoryScore[]; // best first
  imageEmbedding: Float32Array; // unit length
}

export interface CategoryScore {
  category: string;
  probability: number; // P(c|I)
  rationales: RationaleScore[]; // best first
}

export interface RationaleScore {
  rationale: string;
  joint: number; // P(c,r|I)
}

export interface Photo {
  width: number; // pixels as shown, after EXIF rotation
  height: number;
  thumbnail: Blob | undefined;
}

/** Milliseconds; those of steps that were not needed are 0. */
export interface Timings {
  wait: number; // in the queue
  decode: number;
  resize: number;
  image: number;
  stage1: number;
  stage2: number;
}

export interface Stats {
  workers: number; // alive
  mostWorkers: number;
  queued: number; // photos that wait for a worker
  running: number; // photos that a worker has
  done: number; // photos since load
  /** Over the last ten seconds; 0 where nothing was done. */
  photosPerSecond: number;
  paused: boolean;
}

/** Why a request failed: refused for what it was, or because the engine stopped at it, twice. */
export type Failure = "refused" | "dead";

/** The message is a sentence for people. */
export declare class EcorError extends Error {
  readonly kind: Failure;
}

/** P(c,r|I) of the categories and rationales that occur in an answer. */
export interface JointTable {
  categories: string[]; // best first
  rationales: string[]; // best first, by their sum over the categories
  joint: Float32Array; // (categories, rationales); 0 where the answer has no such pair
}

/** Makes a table of an answer: ask for as many categories and rationales as it shall have. */
export declare function jointTable(answer: Answer): JointTable;

/** What ecor's page and workers asked of any network, as the browser measured it. */
export interface Traffic {
  network: number; // requests that left for a network, those of the first load included
  device: number; // requests that were answered from this device
  foreign: number; // of network: to another origin than the page's
  requests: readonly SeenRequest[]; // the latest 500
  violations: readonly Violation[]; // the latest 500
}

export interface SeenRequest {
  url: string;
  from: Actor;
  network: boolean;
  answered: boolean; // false where nothing came back, as far as the browser tells
}

/** Something that the Content-Security-Policy stopped. */
export interface Violation {
  directive: string;
  blocked: string; // what was to be reached or run
  from: Actor;
}

export type Actor = "page" | "worker" | "service worker";

/** Returns what was asked of any network since the page was loaded. */
export declare function requestsSinceLoad(): Traffic;

/** Calls a function after every change of requestsSinceLoad; returns one that ends this. */
export declare function onTraffic(listener: () => void): () => void;
