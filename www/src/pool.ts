/**
 * A pool of workers, each with one instance of the module. Workers are started
 * as work arrives and ended when they have had none for a while, which is the
 * only way to give their memory back. One that stops is replaced; what it was
 * working on is tried once more, alone.
 */

import type { LabelsInfo, LoadProgress, ModelInfo, Note, Pack, Stats } from "./api";
import { EcorError } from "./error";
import type { Loaded, Order, Result, Start } from "./protocol";
import { Rate } from "./rate";
import { Member, type Watch } from "./member";

export interface PoolOptions {
  base: string; // URL of the site's folder
  startWorker(): Worker;
  workers(model: ModelInfo): number; // at most
  idle: number; // milliseconds
  /** Whether the last worker stays, however long it is idle. */
  keepsLast(): boolean;
}

/** A request on its way through the pool. */
interface Task {
  order: Order;
  watch: Watch;
  signal: AbortSignal | undefined;
  priority: number;
  since: number; // performance.now() when it was asked for
  attempts: number; // workers that stopped at it
  queued: boolean;
  settled: boolean;
  resolve(done: Done<never>): void;
  reject(reason: unknown): void;
}

/** A result, the labels it is about and the milliseconds that it waited. */
export interface Done<T> {
  result: T;
  labels: Pack;
  wait: number;
}

export interface Ask extends Watch {
  signal?: AbortSignal | undefined;
  priority?: number | undefined;
}

/** What to load: the site's own model and labels where nothing is given. */
export interface Choice {
  weights?: Blob | undefined;
  wanted?: string | undefined; // SHA-256 that weights must have
  pack?: Pack | undefined;
}

type OnLoading = (progress: LoadProgress) => void;

/** Workers that may stop at the same task. */
const maxAttempts = 2;

/** The last worker may be idle so many times as long as the others. */
const lastStays = 10;

/** Milliseconds without another try after a worker could not be started. */
const rest = 5_000;

export class Pool {
  model!: ModelInfo;
  labels!: Pack;
  notes: readonly Note[] = [];

  private readonly tasks = new Map<Member, Task[]>(); // sent, first to last, of every worker
  private readonly starting = new Set<Promise<unknown>>();
  private queue: Task[] = []; // by priority, then by time; may hold some that are settled
  private waiting = 0; // tasks in queue that are not settled
  private module: WebAssembly.Module | undefined;
  private weights: Pick<Start, "weights" | "known"> = {};
  private shipped: Pack | undefined; // the site's labels
  private most = 1;
  private resting: ReturnType<typeof setTimeout> | undefined; // until a worker may be started again
  private labelling: Promise<unknown> = Promise.resolve(); // ends with the last setLabels
  private paused = false;
  private disposed = false;
  private sweeper: ReturnType<typeof setTimeout> | undefined;
  private readonly rate = new Rate();

  constructor(private readonly options: PoolOptions) {}

  get stats(): Stats {
    const running = this.running();
    return {
      workers: this.tasks.size,
      mostWorkers: this.most,
      queued: this.waiting,
      running,
      done: this.rate.done,
      photosPerSecond: this.rate.perSecond(),
      paused: this.paused,
    };
  }

  /** Starts the first worker. */
  async load(choice: Choice, onLoading?: OnLoading): Promise<void> {
    const { member, loaded } = await this.start(choice, onLoading);
    this.notes = loaded.notes;
    this.labels = choice.pack ?? loaded.pack;
    this.shipped = choice.pack ? undefined : loaded.pack;
    this.use(member, loaded, choice.weights);
  }

  /** Takes other weights. What waits is done with them; what runs is done with those before. */
  async openWeights(choice: Choice, onLoading?: OnLoading): Promise<ModelInfo> {
    const { labels } = this;
    const { member, loaded } = await this.start({ ...choice, pack: this.packOf(labels) }, onLoading);
    this.retire(member);
    member.labels = labels;
    this.notes = loaded.notes;
    this.use(member, loaded, choice.weights);
    return this.model;
  }

  /** Has an order carried out by a worker that is free, or when one is. */
  run<T extends Result>(order: Order, { signal, priority = 0, ...watch }: Ask): Promise<Done<T>> {
    let abort: () => void;
    return new Promise<Done<T>>((resolve, reject) => {
      if (this.disposed) {
        return reject(ended());
      }
      if (signal?.aborted) {
        return reject(signal.reason);
      }
      const task: Task = { order, watch, signal, priority, since: performance.now(), attempts: 0, queued: false, settled: false, resolve, reject };
      abort = () => this.abort(task);
      signal?.addEventListener("abort", abort);
      this.enqueue(task);
      this.dispatch();
    }).finally(() => signal?.removeEventListener("abort", abort));
  }

  /** Sets the labels for what is started from now on. Of several calls the last one counts. */
  setLabels(pack: Pack): Promise<LabelsInfo> {
    const done = this.labelling.then(() => this.label(pack));
    this.labelling = done.catch(() => undefined);
    return done;
  }

  private async label(pack: Pack): Promise<LabelsInfo> {
    const member = await this.free();
    member.closed = true;
    try {
      const info = await member.call<LabelsInfo>({ type: "setLabels", pack: this.packOf(pack) });
      this.labels = member.labels = pack;
      return info;
    } finally {
      this.reopen(member);
      this.dispatch();
    }
  }

  /** Replaces every worker as soon as it has nothing to do. */
  renew(): void {
    const any = this.tasks.size > 0;
    this.retire();
    if (any && this.tasks.size === 0) {
      this.add();
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.dispatch();
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.sweeper);
    clearTimeout(this.resting);
    this.rejectWaiting(ended());
    [...this.tasks.keys()].forEach((member) => member.end("disposed"));
  }

  /** Starts a worker and loads it. */
  private async start(choice: Choice & Pick<Start, "known">, onLoading?: OnLoading): Promise<{ member: Member; loaded: Loaded }> {
    if (this.disposed) {
      throw ended();
    }
    const { base, startWorker } = this.options;
    const member = new Member(startWorker(), () => this.tasks.delete(member));
    member.closed = true;
    this.tasks.set(member, []);
    try {
      const start: Start = { ...choice, base, module: this.module };
      const loaded = await member.call<Loaded>({ type: "load", start }, { onLoading });
      this.module = loaded.module;
      member.labels = choice.pack;
      return { member, loaded };
    } catch (e) {
      member.end((e as Error).message);
      throw this.disposed ? ended() : e;
    }
  }

  /** Makes a worker's weights those of the pool. */
  private use(member: Member, { model }: Loaded, weights: Blob | undefined): void {
    this.model = model;
    this.most = this.options.workers(model);
    this.weights = weights ? { weights, known: model.sha256 } : {};
    member.labels ??= this.labels;
    member.closed = false;
    this.dispatch();
  }

  /** Starts one more worker like the others. */
  private async another(): Promise<Member> {
    const { labels } = this;
    const { member } = await this.start({ ...this.weights, pack: this.packOf(labels) });
    member.labels = labels;
    this.reopen(member);
    return member;
  }

  /** Starts one more worker for what waits. */
  private add(): void {
    const added = this.another()
      .catch((e: unknown) => {
        if (this.disposed) {
          return;
        }
        const others = this.active();
        if (others === 0) {
          this.rejectWaiting(e);
        } else if (lacksMemory(e)) {
          this.most = others;
        } else {
          this.resting ??= setTimeout(() => {
            this.resting = undefined;
            this.dispatch();
          }, rest);
        }
      })
      .finally(() => {
        this.starting.delete(added);
        this.dispatch();
      });
    this.starting.add(added);
  }

  /** Returns a worker that can be talked to: the one with the least to do, or a new one. */
  private async free(): Promise<Member> {
    for (;;) {
      const [best] = this.open().sort((a, b) => this.tasks.get(a)!.length - this.tasks.get(b)!.length);
      if (best) {
        return best;
      }
      if (this.starting.size === 0) {
        return this.another();
      }
      await Promise.race(this.starting);
    }
  }

  /** Workers that take work. */
  private open(): Member[] {
    return [...this.tasks.keys()].filter((r) => !r.closed && !r.retired);
  }

  private running(): number {
    return [...this.tasks.values()].reduce((sum, list) => sum + list.length, 0);
  }

  /** The pack as a worker is told of it: the site's own labels have embeddings, which it reads itself. */
  private packOf(pack: Pack): Pack | undefined {
    return this.shipped && sameLabels(pack, this.shipped) ? undefined : pack;
  }

  private reopen(member: Member): void {
    member.closed = false;
    if (member.retired) {
      this.endIdle(member);
    }
  }

  private endIdle(member: Member): void {
    if (!member.closed && this.tasks.get(member)?.length === 0) {
      member.end("nothing to do");
    }
  }

  /** Ends all workers but one as soon as they have nothing to do. */
  private retire(except?: Member): void {
    for (const member of [...this.tasks.keys()]) {
      if (member !== except) {
        member.retired = true;
        this.endIdle(member);
      }
    }
  }

  private enqueue(task: Task): void {
    let at = this.queue.length;
    while (at > 0 && isBefore(task, this.queue[at - 1]!)) {
      at--;
    }
    this.queue.splice(at, 0, task);
    task.queued = true;
    this.waiting++;
  }

  private rejectWaiting(reason: unknown): void {
    for (const task of this.queue.splice(0)) {
      task.queued = false;
      settle(task, () => task.reject(reason));
    }
    this.waiting = 0;
  }

  private abort(task: Task): void {
    settle(task, () => task.reject(task.signal?.reason));
    if (task.queued) {
      task.queued = false; // dispatch drops it
      this.waiting--;
    }
  }

  /** Gives what waits to workers, and starts and ends these as needed. */
  private dispatch(): void {
    while (!this.paused && this.queue.length > 0) {
      const task = this.queue[0]!;
      if (!task.queued) {
        this.queue.shift();
        continue;
      }
      const member = this.pick(task);
      if (!member) {
        break;
      }
      this.queue.shift();
      task.queued = false;
      this.waiting--;
      void this.send(task, member);
    }
    if (!this.paused && !this.disposed) {
      const wanted = Math.min(this.limit(), this.running() + this.waiting);
      for (let n = this.active(); n < wanted; n++) {
        this.add();
      }
    }
    this.sweepLater();
  }

  /**
   * Returns the worker that shall have a task: one without work, or else, where
   * more waits than new workers will take, one that can open a photo while it
   * works on another.
   */
  private pick(task: Task): Member | undefined {
    const open = this.open();
    const idle = open.filter((r) => this.tasks.get(r)!.length === 0);
    if (idle.length > 0) {
      return idle.find((r) => r.labels === this.labels) ?? idle[0];
    }
    if (task.attempts > 0 || this.waiting <= this.limit() - open.length) {
      return undefined;
    }
    return open.find((r) => {
      const list = this.tasks.get(r)!;
      return list.length === 1 && list[0]!.attempts === 0;
    });
  }

  /** Workers that take work now or once they are ready. */
  private active(): number {
    return [...this.tasks.keys()].filter((r) => !r.retired).length;
  }

  /** Workers that there may be now: while the pool rests, no more than there are. */
  private limit(): number {
    return this.resting === undefined ? this.most : Math.max(1, this.active());
  }

  private async send(task: Task, member: Member): Promise<void> {
    const list = this.tasks.get(member)!;
    list.push(task);
    const { labels } = this;
    const wait = performance.now() - task.since;
    try {
      if (task.order.type === "classify" && member.labels !== labels) {
        member.labels = labels;
        // The labels were accepted by another worker.
        member.call({ type: "setLabels", pack: this.packOf(labels) }).catch((e: unknown) => member.end((e as Error).message));
      }
      const result = await member.call<Result>(task.order, task.watch, task.signal);
      settle(task, () => task.resolve({ result, labels, wait } as Done<never>));
      this.rate.count();
    } catch (e) {
      if (this.disposed) {
        settle(task, () => task.reject(ended()));
      } else if (e instanceof EcorError && e.kind === "dead" && !task.settled) {
        member.stoppedAt ??= task; // the first one is what it was working on
        this.again(task, member.stoppedAt === task, e);
      } else {
        settle(task, () => task.reject(e));
      }
    }
    list.splice(list.indexOf(task), 1);
    if (list.length === 0) {
      member.idleSince = performance.now();
      if (member.retired) {
        this.endIdle(member);
      }
    }
    this.dispatch();
  }

  /** Queues a task again after its worker stopped, unless workers stop at it. */
  private again(task: Task, culprit: boolean, e: EcorError): void {
    if (culprit && ++task.attempts >= maxAttempts) {
      settle(task, () => task.reject(e));
    } else {
      this.enqueue(task);
    }
  }

  private sweepLater(): void {
    if (this.sweeper === undefined && !this.disposed && this.tasks.size > 0) {
      this.sweeper = setTimeout(() => this.sweep(), this.options.idle);
    }
  }

  /** Ends workers that had nothing to do for long. */
  private sweep(): void {
    this.sweeper = undefined;
    const now = performance.now();
    for (const member of [...this.tasks.keys()]) {
      const last = this.tasks.size === 1;
      const limit = this.options.idle * (last ? lastStays : 1);
      if (now - member.idleSince >= limit && !(last && this.options.keepsLast())) {
        this.endIdle(member);
      }
    }
    this.sweepLater();
  }
}

function settle(task: Task, how: () => void): void {
  if (!task.settled) {
    task.settled = true;
    how();
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.since < b.since);
}

/** Whether a worker could not be started for want of memory, in the words of browsers and of the module. */
function lacksMemory(e: unknown): boolean {
  return e instanceof Error && /memory|allocation failed/i.test(e.message);
}

function sameLabels(a: Pack, b: Pack): boolean {
  const text = ({ templates, categories }: Pack) => JSON.stringify([templates, categories]);
  return a === b || text(a) === text(b);
}

function ended(): DOMException {
  return new DOMException("ecor was disposed", "AbortError");
}
