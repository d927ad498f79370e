/** One member of a pool: a worker and what it was asked. */

import type { Answer, JobProgress, LoadProgress, Pack, Photo } from "./api";
import { EcorError } from "./error";
import type { Order, Reply, Request, Result } from "./protocol";
import { engineProblems } from "./strings";
import { note } from "./traffic";

/** What happens while an order is carried out. */
export interface Watch {
  onLoading?: ((progress: LoadProgress) => void) | undefined;
  onDecoded?: ((photo: Photo) => void) | undefined;
  onProgress?: ((progress: JobProgress) => void) | undefined;
  onFirst?: ((answer: Answer) => void) | undefined;
}

interface Call {
  watch: Watch;
  resolve(result: never): void;
  reject(error: unknown): void;
}

/** Seconds without a word from a worker that has something to do, after which it counts as dead. */
const patience = 120;
const glance = 10; // seconds between looks

export class Member {
  /** Labels that the worker's module has; undefined until it is loaded. */
  labels: Pack | undefined;
  /** Takes no work now: it is being loaded, or its labels are being changed. */
  closed = false;
  /** Takes no work any more and is to be ended. */
  retired = false;
  /** What it was working on when it stopped. */
  stoppedAt: unknown;
  /** performance.now() when it ran out of work. */
  idleSince = performance.now();

  private readonly calls = new Map<number, Call>();
  private nextId = 1;
  private dead = "";
  private silence = 0; // looks since the last word
  private watchdog: ReturnType<typeof setInterval> | undefined;

  /** @param onEnd is called once, when the worker has stopped or was ended */
  constructor(
    private readonly worker: Worker,
    private readonly onEnd: () => void,
  ) {
    worker.onmessage = (event: MessageEvent<Reply>) => this.receive(event.data);
    worker.onmessageerror = () => this.end(engineProblems.unreadable);
    worker.onerror = (event) => {
      event.preventDefault();
      this.end(event.message || engineProblems.noWorker);
    };
  }

  /** Has an order carried out after those before it. Rejects with an EcorError; where the signal is aborted, with one of kind "refused". */
  call<T extends Result>(order: Order, watch: Watch = {}, signal?: AbortSignal): Promise<T> {
    if (this.dead) {
      return Promise.reject(new EcorError("dead", this.dead));
    }
    const id = this.nextId++;
    const cancel = () => this.post({ cancel: id });
    signal?.addEventListener("abort", cancel);
    return new Promise<T>((resolve, reject) => {
      this.post({ id, order }); // throws where a bitmap was closed
      this.calls.set(id, { watch, resolve, reject });
      this.watchdog ??= setInterval(() => this.look(), 1000 * glance);
    }).finally(() => signal?.removeEventListener("abort", cancel));
  }

  /** Ends the worker, which gives its memory back; what it was to do rejects as dead. */
  end(reason: string): void {
    if (this.dead) {
      return;
    }
    this.dead = reason;
    this.onEnd();
    this.worker.terminate();
    clearInterval(this.watchdog);
    this.calls.forEach(({ reject }) => reject(new EcorError("dead", reason)));
    this.calls.clear();
  }

  private post(request: Request): void {
    this.worker.postMessage(request);
  }

  private look(): void {
    if (++this.silence * glance >= patience) {
      this.end(engineProblems.silent(patience));
    }
  }

  private receive(reply: Reply): void {
    this.silence = 0;
    if (reply.type === "report") {
      return note(reply.requests, reply.violations);
    }
    const call = this.calls.get(reply.id);
    if (!call) {
      return;
    }
    switch (reply.type) {
      case "loading":
        return call.watch.onLoading?.(reply.progress);
      case "decoded":
        return call.watch.onDecoded?.(reply.photo);
      case "progress":
        return call.watch.onProgress?.(reply.progress);
      case "first":
        return call.watch.onFirst?.(reply.answer);
    }
    if (reply.type === "failed" && reply.kind === "dead") {
      return this.end(reply.reason);
    }
    this.calls.delete(reply.id);
    if (this.calls.size === 0) {
      clearInterval(this.watchdog);
      this.watchdog = undefined;
    }
    if (reply.type === "done") {
      call.resolve(reply.result as never);
    } else {
      call.reject(new EcorError("refused", reply.reason));
    }
  }
}
