/** Messages between the page and its worker. */

import type { Pack } from "./labels";
import type { Answer, LabelsInfo, Method, ModelInfo, Phase } from "./wire";

/** To the worker. Each carries an id, which its replies repeat; the worker does one thing at a time. */
export type Request =
  | { type: "load"; id: number }
  | { type: "setLabels"; id: number; pack: Pack }
  | { type: "classify"; id: number; source: Source; method: Method }
  | { type: "cancel"; id: number }; // id of the request to end

/** A photo's file, or the embedding that an earlier answer brought. */
export type Source = Blob | Float32Array;

/** From the worker. A request ends with done or failed. */
export type Reply =
  | { type: "loading"; id: number; done: number; total: number } // bytes of weights
  | { type: "decoded"; id: number; photo: Photo }
  | { type: "progress"; id: number; phase: Phase; done: number; total: number }
  | { type: "done"; id: number; result: Loaded | LabelsInfo | Classified }
  | { type: "failed"; id: number; reason: string; kind: Failure };

/** Why a request failed: by what was asked, because it was cancelled, or because the module stopped. */
export type Failure = "refused" | "cancelled" | "dead";

export interface Loaded {
  info: ModelInfo;
  pack: Pack;
  version: string; // of the site
  notes: Note[];
}

/** Things that are worth saying about this browser or these files. */
export type Note = "embeddings do not fit" | "pixels are altered";

export interface Photo {
  width: number;
  height: number;
  thumbnail: Blob;
}

export interface Classified {
  answer: Answer;
  timings: Timings;
}

/** Milliseconds; those of steps that were not needed are 0. */
export interface Timings {
  decode: number;
  resize: number;
  image: number;
  stage1: number;
  stage2: number;
}
