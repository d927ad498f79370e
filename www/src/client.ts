/** One photo at a time, on top of ecor.js. */

import type { Classified, Ecor, Failure, JobProgress, LabelsInfo, Method, ModelInfo, Note, Pack, Photo, Source } from "./api";
import { EcorError, load } from "./ecor";

/** A request that did not succeed. */
export class RequestError extends Error {
  constructor(
    readonly kind: Failure | "cancelled",
    message: string,
  ) {
    super(message);
  }
}

/** What happens while a request runs. */
export interface Watch {
  onLoading?: (done: number, total: number) => void; // bytes of weights
  onDecoded?: (photo: Photo) => void;
  onProgress?: (phase: JobProgress["phase"], done: number, total: number) => void;
}

export interface Loaded {
  info: ModelInfo;
  pack: Pack;
  version: string; // of the site
  notes: readonly Note[];
}

export class Client {
  private ecor: Ecor | undefined;
  private abort = new AbortController();
  private last: Promise<unknown> = Promise.resolve();

  async load(watch: Watch = {}): Promise<Loaded> {
    this.ecor = await load({
      onProgress: ({ phase, done, total }) => phase === "weights" && watch.onLoading?.(done, total),
    });
    const { model, labels, notes } = this.ecor;
    return { info: model, pack: labels, version: model.version, notes };
  }

  setLabels(pack: Pack): Promise<LabelsInfo> {
    return this.queue((ecor) => ecor.setLabels(pack));
  }

  classify(source: Source, method: Method, watch: Watch = {}): Promise<Classified> {
    return this.queue((ecor) => {
      this.abort = new AbortController();
      return ecor.classify(source, {
        method,
        signal: this.abort.signal,
        onDecoded: watch.onDecoded,
        onProgress: ({ phase, done, total }) => watch.onProgress?.(phase, done, total),
      });
    });
  }

  /** Cancels the request in progress, if there is one. */
  cancel(): void {
    this.abort.abort();
  }

  private queue<T>(ask: (ecor: Ecor) => Promise<T>): Promise<T> {
    const result = this.last.then(() => ask(this.ecor!)).catch((e: unknown) => {
      throw e instanceof EcorError ? new RequestError(e.kind, e.message) : new RequestError("cancelled", (e as Error).message);
    });
    this.last = result.catch(() => undefined);
    return result;
  }
}
