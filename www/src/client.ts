/** The page's side of the worker. */

import type { Pack } from "./labels";
import type { Classified, Failure, Loaded, Photo, Reply, Request, Source } from "./protocol";
import type { LabelsInfo, Method, Phase } from "./wire";

/** A request that did not succeed. */
export class RequestError extends Error {
  constructor(
    readonly kind: Failure,
    message: string,
  ) {
    super(message);
  }
}

/** What happens while a request runs. */
export interface Watch {
  onLoading?: (done: number, total: number) => void; // bytes of weights
  onDecoded?: (photo: Photo) => void;
  onProgress?: (phase: Phase, done: number, total: number) => void;
}

interface Pending {
  watch: Watch;
  resolve: (result: never) => void;
  reject: (error: RequestError) => void;
}

type Unsent<T> = T extends { id: number } ? Omit<T, "id"> : never;

/** Runs requests one after another in a worker. A worker whose module stopped is replaced. */
export class Client {
  private worker: Worker | undefined;
  private pending = new Map<number, Pending>();
  private last: Promise<unknown> = Promise.resolve();
  private nextId = 1;
  private current = 0;
  private pack: Pack | undefined; // as set last, for a new worker

  /** @param start makes a worker. */
  constructor(private readonly start: () => Worker) {}

  load(watch: Watch = {}): Promise<Loaded> {
    return this.queue<Loaded>({ type: "load" }, watch);
  }

  async setLabels(pack: Pack): Promise<LabelsInfo> {
    const info = await this.queue<LabelsInfo>({ type: "setLabels", pack });
    this.pack = pack;
    return info;
  }

  classify(source: Source, method: Method, watch: Watch = {}): Promise<Classified> {
    return this.queue<Classified>({ type: "classify", source, method }, watch);
  }

  /** Cancels the request in progress, if there is one. */
  cancel(): void {
    if (this.current) {
      this.worker?.postMessage({ type: "cancel", id: this.current } satisfies Request);
    }
  }

  private queue<T>(request: Unsent<Request>, watch: Watch = {}): Promise<T> {
    const result = this.last.then(() => this.run<T>(request, watch));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async run<T>(request: Unsent<Request>, watch: Watch): Promise<T> {
    if (!this.worker) {
      this.worker = this.listen(this.start());
      if (request.type !== "load") {
        await this.send<Loaded>({ type: "load" });
        if (this.pack) {
          await this.send<LabelsInfo>({ type: "setLabels", pack: this.pack });
        }
      }
    }
    return this.send<T>(request, watch);
  }

  private send<T>(request: Unsent<Request>, watch: Watch = {}): Promise<T> {
    const id = this.nextId++;
    this.current = id;
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { watch, resolve: resolve as (result: never) => void, reject });
      this.worker?.postMessage({ ...request, id });
    }).finally(() => {
      this.current = 0;
    });
  }

  private listen(worker: Worker): Worker {
    worker.onmessage = (event: MessageEvent<Reply>) => this.receive(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.replace(event.message || "the worker could not be started");
    };
    return worker;
  }

  private receive(reply: Reply): void {
    const pending = this.pending.get(reply.id);
    if (!pending) {
      return;
    }
    switch (reply.type) {
      case "loading":
        return pending.watch.onLoading?.(reply.done, reply.total);
      case "decoded":
        return pending.watch.onDecoded?.(reply.photo);
      case "progress":
        return pending.watch.onProgress?.(reply.phase, reply.done, reply.total);
      case "done":
        this.pending.delete(reply.id);
        return pending.resolve(reply.result as never);
      case "failed":
        if (reply.kind === "dead") {
          return this.replace(reply.reason);
        }
        this.pending.delete(reply.id);
        return pending.reject(new RequestError(reply.kind, reply.reason));
    }
  }

  /** Ends the worker, which gives its memory back; the next request starts another. */
  private replace(reason: string): void {
    this.worker?.terminate();
    this.worker = undefined;
    const failed = [...this.pending.values()];
    this.pending.clear();
    failed.forEach((p) => p.reject(new RequestError("dead", reason)));
  }
}
