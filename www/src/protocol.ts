/** Messages between a pool and its workers. */

import type {
  Answer,
  ClassifyOptions,
  Failure,
  JobProgress,
  LabelsInfo,
  LoadProgress,
  ModelInfo,
  Note,
  Pack,
  Photo,
  SeenRequest,
  Source,
  Timings,
  Violation,
} from "./api";

export type { Failure, Note, Photo, Source, Timings } from "./api";

/** Settings of a classification that cross to the worker. */
export type Settings = Omit<ClassifyOptions, "signal" | "priority" | "id" | "onDecoded" | "onProgress" | "onFirst"> & {
  first: boolean; // whether the first answer is asked for
};

/**
 * What is asked of a worker. It answers in the order of asking, and opens the
 * photo of the next request while it works on one.
 */
export type Order =
  | { type: "load"; start: Start }
  | { type: "setLabels"; pack: Pack | undefined } // undefined: the site's
  | { type: "classify"; source: Source; settings: Settings }
  | { type: "embedImage"; source: Blob | ImageBitmap }
  | { type: "embedText"; texts: readonly string[] };

/** What a worker starts from; what is left out is the site's. */
export interface Start {
  base: string; // URL of the site's folder
  module?: WebAssembly.Module | undefined;
  weights?: Blob | undefined;
  known?: string | undefined; // SHA-256 of weights, where an earlier worker has computed it
  wanted?: string | undefined; // SHA-256 that weights must have
  pack?: Pack | undefined;
}

/** To a worker. Each order carries an id, which its replies repeat. */
export type Request = { id: number; order: Order } | { cancel: number };

/** From a worker. An order ends with done or failed. */
export type Reply =
  | { type: "loading"; id: number; progress: LoadProgress }
  | { type: "decoded"; id: number; photo: Photo }
  | { type: "progress"; id: number; progress: JobProgress }
  | { type: "first"; id: number; answer: Answer }
  | { type: "done"; id: number; result: Result }
  | { type: "failed"; id: number; reason: string; kind: Failure }
  | Report;

/** What a worker saw of its own requests, unasked. */
export interface Report {
  type: "report";
  requests: SeenRequest[];
  violations: Violation[];
}

export type Result = Loaded | LabelsInfo | Scored | Float32Array | Float32Array[];

export interface Loaded {
  model: ModelInfo;
  module: WebAssembly.Module; // for the next worker
  pack: Pack;
  notes: Note[];
}

export interface Scored {
  answer: Answer;
  photo: Photo | undefined;
  timings: Omit<Timings, "wait">;
}
