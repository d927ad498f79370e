/** What the tests of the review model reach in an empty page. */

import type { CategoryScore } from "../src/wire";
import { pack, Names, unpack } from "../src/review/answers";
import { Intake } from "../src/review/checks";
import { csvLine, harmless } from "../src/review/csv";
import { digest } from "../src/review/digest";
import { comparer, matcher } from "../src/review/filter";
import { fromBlob, fromFiles, fromFolder, fromTransfer } from "../src/review/intake";
import { compareLabels } from "../src/review/labels";
import { safeName, Taken } from "../src/review/names";
import { exactFloat32, formatFloat32 } from "../src/review/numbers";
import { readHeader } from "../src/header";
import { Review } from "../src/review/review";
import { Selection } from "../src/review/selection";
import { Session } from "../src/review/session";
import { openStore } from "../src/review/store";
import { BlobSink, places, sortInto, zipInto } from "../src/review/sort";
import { answersCSV, reviewCSV, reviewJSON } from "../src/review/tables";
import { Tally } from "../src/review/tally";
import { decisions, defaultUnsure, type Answer, type Filter, type Item, type Method, type NewItem, type Sort } from "../src/review/types";
import { View } from "../src/review/view";
import { deleteEverything } from "../src/review/wipe";
import { crc32, crcOf, ZipWriter, type Sink } from "../src/review/zip";

/** Numbers from 0 to below n, the same in every run. */
function random(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

function item(path: string, bytes: BlobPart = "", modified = 1e12): NewItem {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const file = new File([bytes], name, { lastModified: modified });
  return { name, path, size: file.size, modified, source: { file: async () => file } };
}

const words = ["zebra", "forest", "sunset", "Łódź", "野牛", "cat", "dog", "car"];

function madeAnswer(next: (n: number) => number, method: Method = "ecor"): Answer {
  const uncovered = method === "ecor" ? Math.fround(next(1000) / 1500) : 0;
  const weights = words.map(() => 1 + next(1000));
  const sum = weights.reduce((a, b) => a + b);
  const categories = words
    .map((category, i): CategoryScore => {
      const probability = Math.fround(((1 - uncovered) * weights[i]!) / sum);
      const rationales = ["stripes", "leaves", "an orange sky", "fur"].map((r, j) => ({ rationale: `${r} ${next(6)}`, joint: Math.fround(probability / (j + 2)) }));
      return { category, probability, rationales };
    })
    .sort((a, b) => b.probability - a.probability);
  return { method, kept: 32, uncovered, categories, imageEmbedding: Float32Array.of(next(100), 1, 2) };
}

const filters: [Filter, Sort][] = [
  [{}, { by: "added", descending: false }],
  [{ states: new Set(["done"]) }, { by: "share", descending: true }],
  [{ decisions: new Set(["none", "flag"]) }, { by: "name", descending: false }],
  [{ unsure: defaultUnsure }, { by: "margin", descending: false }],
  [{ text: "p1 jpg" }, { by: "path", descending: true }],
  [{ categories: new Set(["zebra", "野牛"]), share: [0.1, 0.9] }, { by: "category", descending: false }],
  [{ rationales: new Set(["stripes 1", "fur 2"]) }, { by: "uncovered", descending: true }],
  [{ tags: new Set(["Tag 1"]) }, { by: "decision", descending: false }],
  [{ corrected: true, duplicates: false }, { by: "size", descending: true }],
];

/** Changes a review at random and compares what it keeps up to date with what is counted anew. Returns what differs. */
function model(seed: number, steps: number): string[] {
  const next = random(seed);
  const review = new Review();
  const mirror = new Map<number, Item>(); // kept by events alone
  review.on("items", (ids) => ids.forEach((id) => (review.get(id) ? mirror.set(id, review.get(id)!) : mirror.delete(id))));
  const views = filters.map(([filter, sort]) => new View(review, { filter, sort }));
  const past: string[] = []; // marks before each step of undo
  const isMarked = ({ decision, tags, corrected }: Item) => decision !== "none" || tags.length > 0 || corrected !== "";
  const marks = () => JSON.stringify([...review.items()].filter(isMarked).map(({ id, decision, tags, corrected }) => [id, decision, tags, corrected]));
  const wrong: string[] = [];
  let files = 0;
  const some = (): number[] => [...review.items()].filter(() => next(12) === 0).map((i) => i.id);
  const one = (): number => [...review.items()][next(review.size)]?.id ?? 0;
  const marked = (change: () => void) => {
    const before = marks();
    change();
    if (marks() !== before) {
      past.push(before);
    }
  };
  const ops: (() => void)[] = [
    () => review.add(Array.from({ length: 1 + next(40) }, () => item(`dir${next(3)}/p${files++}.jpg`, "x".repeat(next(9))))),
    () => review.answered(one(), madeAnswer(next), next(2) ? review.labels : 1),
    () => review.answered(one(), madeAnswer(next, "clip")),
    () => review.update(one(), { state: (["waiting", "working", "failed"] as const)[next(3)]! }),
    () => review.update(one(), { duplicateOf: next(3) && one() }),
    () => marked(() => review.decide(some(), decisions[next(4)]!)),
    () => marked(() => void (next(3) > 0 ? review.tag(some(), [` tag  ${next(4)}`]) : review.tag(some(), [], [` TAG  ${next(4)}`]))),
    () => marked(() => review.correct([one()], ["", ...words][next(9)]!)),
    () => {
      const before = past.pop();
      if (before !== undefined) {
        const now = marks();
        review.undo();
        if (marks() !== before) {
          wrong.push(`undo gives ${marks()}, want ${before}`);
        }
        review.redo();
        if (marks() !== now) {
          wrong.push(`redo gives ${marks()}, want ${now}`);
        }
        review.undo();
      }
    },
    () => {
      if (next(4) === 0) {
        review.remove([one(), one()]);
        past.length = 0; // the marks of what was removed are gone
      }
    },
    () => review.useMethod(next(2) ? "ecor" : "clip"),
    () => next(5) === 0 && review.useLabels(),
    () => views[next(views.length)]!.set(...filters[next(filters.length)]!),
    () => review.batch(() => some().forEach((id) => review.answered(id, madeAnswer(next)))),
  ];
  for (let step = 0; step < steps && wrong.length === 0; step++) {
    ops[next(ops.length)]!();
    wrong.push(...check(review, views, mirror).map((what) => `step ${step}: ${what}`));
  }
  return wrong;
}

function check(review: Review, views: readonly View[], mirror: ReadonlyMap<number, Item>): string[] {
  const wrong: string[] = [];
  const all = [...review.items()];
  const same = (what: string, got: unknown, want: unknown) => {
    const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
    if (a !== b) {
      wrong.push(`${what}: ${a}, want ${b}`);
    }
  };
  for (const view of views) {
    const want = all.filter(matcher(view.filter)).sort(comparer(view.sort));
    same(`view ${JSON.stringify(view.sort)}`, view.ids(), want.map((i) => i.id));
    if (view.slice(0, view.length).some((i, at) => i !== review.get(i.id) || view.indexOf(i.id) !== at)) {
      wrong.push(`view ${JSON.stringify(view.sort)} shows items as they were`);
    }
  }
  const tally = new Tally();
  all.forEach((i) => tally.count(i, 1));
  const plain = (t: object) => Object.entries(t).map(([key, v]) => [key, v instanceof Map ? [...v].sort() : v]);
  same("counts", plain(review.counts), plain(tally));
  same("mirror", [...mirror.values()].sort((a, b) => a.id - b.id), all);
  const sorted = (ids: Iterable<number>) => [...ids].sort((a, b) => a - b);
  same("toClassify", sorted(review.toClassify), all.filter((i) => i.state === "waiting" && i.attached && !i.embedding).map((i) => i.id));
  const old = (i: Item) => i.best?.labels !== review.labels || i.best.method !== review.method;
  same("toScore", sorted(review.toScore), all.filter((i) => i.embedding && old(i) && !["working", "failed"].includes(i.state)).map((i) => i.id));
  return wrong;
}

/** A review of n photos with answers; every third is corrected, flagged or tagged. */
function madeReview(n: number, answered = true): Review {
  const review = new Review();
  const next = random(n);
  const { added } = review.add(Array.from({ length: n }, (_, i) => item(`album ${i % 7}/photo ${i}.jpg`, `${i % 11}`)));
  if (answered) {
    review.batch(() => added.forEach((id) => review.answered(id, madeAnswer(next))));
  }
  return review;
}

/** Milliseconds that things take with n items. */
function speed(n: number): Record<string, number> {
  const times: Record<string, number> = {};
  const time = (what: string, f: () => void) => {
    const start = performance.now();
    f();
    times[what] = performance.now() - start;
  };
  const review = madeReview(n, false);
  const next = random(1);
  const views = filters.map(([filter, sort]) => new View(review, { filter, sort }));
  const ids = [...review.items()].map((i) => i.id);
  const answers = ids.map(() => madeAnswer(next));
  time("answer each", () => ids.forEach((id, i) => review.answered(id, answers[i]!)));
  time("decide each", () => ids.forEach((id) => review.decide([id], "keep")));
  time("decide all", () => review.decide(ids, "flag"));
  time("undo all", () => review.undo());
  time("filter and sort", () => views[0]!.set({ text: "photo 7" }, { by: "share", descending: true }));
  return times;
}

/** Uploads bytes for the test to look at. */
async function upload(name: string, body: Blob): Promise<void> {
  const response = await fetch(`/upload/${name}`, { method: "PUT", body });
  if (!response.ok) {
    throw new Error(`upload: ${response.status}`);
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Keeps what is not a file, and where it stands: what is around contents of any size. */
class SparseSink implements Sink {
  readonly parts: { at: number; bytes: Uint8Array<ArrayBuffer> }[] = [];
  size = 0;

  async write(part: Uint8Array<ArrayBuffer> | Blob): Promise<void> {
    if (part instanceof Uint8Array) {
      this.parts.push({ at: this.size, bytes: part });
      this.size += part.length;
    } else {
      this.size += part.size;
    }
  }
}

/** A file of zeros that only says how large it is. */
function zeros(size: number): Blob {
  return Object.create(Blob.prototype, { size: { value: size } }) as Blob;
}

async function folderAt(path: string): Promise<FileSystemDirectoryHandle> {
  let folder = await navigator.storage.getDirectory();
  for (const name of path.split("/").filter(Boolean)) {
    folder = await folder.getDirectoryHandle(name, { create: true });
  }
  return folder;
}

async function writeFile(path: string, content: BlobPart): Promise<void> {
  const at = path.lastIndexOf("/");
  const handle = await (await folderAt(path.slice(0, at))).getFileHandle(path.slice(at + 1), { create: true });
  const writable = await handle.createWritable();
  await writable.write(new Blob([content]));
  await writable.close();
}

/** Returns every file below a folder with its text. */
async function tree(path: string): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  for await (const { path: name, source } of fromFolder(await folderAt(path), {}, "")) {
    out[name.slice(1)] = await (await source.file()).text();
  }
  return out;
}

let review = new Review();
let session: Session | undefined;
let problems: string[] = [];
let moved: string[] = []; // files that were moved last and not found again

const summary = () =>
  [...review.items()].map(({ id, path, state, decision, tags, corrected, best, attached, embedding, duplicateOf, reason }) => ({
    id, path, state, decision, tags, corrected, attached, duplicateOf, category: best?.category ?? "", values: embedding?.length ?? 0, reason: reason?.kind ?? "",
  }));

const hooks = {
  model,
  speed,

  /** Float32 values, given as their bits, as text and as JSON. */
  numbers: (bits: number[]): { text: string[]; json: string[] } => {
    const values = new Float32Array(Uint32Array.from(bits).buffer);
    return { text: Array.from(values, formatFloat32), json: Array.from(values, (v) => JSON.stringify(exactFloat32(v))) };
  },

  csvField: (text: string): string => csvLine([harmless(text), "b"]),

  names: (list: string[]): string[] => {
    const taken = new Taken();
    return list.map((name) => taken.take(safeName(name)));
  },

  /** Uploads the tables of the given answers. */
  tables: async (answers: { path: string; answer: Answer }[]): Promise<void> => {
    const review = new Review();
    const { added } = review.add(answers.map(({ path }) => item(path, "bytes", 1.6e12)));
    answers.forEach(({ answer }, i) => {
      const imageEmbedding = new Float32Array(1);
      review.answered(added[i]!, { ...answer, imageEmbedding });
      review.decide([added[i]!], decisions[i % 4]!);
    });
    review.tag(added.slice(0, 1), ["=evil", "second"]);
    review.correct(added.slice(0, 1), "right one");
    const { added: waiting } = review.add([item("refused.txt")]);
    review.update(waiting[0]!, { state: "skipped", reason: { kind: "refused", message: "-This is no image." } });
    const ids = [...review.items()].map((i) => i.id);
    const about = { model: { name: "m", sha256: "00", scheme: "w8a7" }, labels: { name: "l", categories: 2, rationales: 3 }, exported: new Date(1.7e12) };
    await upload("answers.csv", await answersCSV(review, ids));
    await upload("review.csv", await reviewCSV(review, ids));
    await upload("review.json", await reviewJSON(review, ids, about));
  },

  crc: (base64: string): number => crc32(fromBase64(base64)),

  /** Uploads a ZIP file of a review's photos, sorted by category. */
  zip: async (): Promise<string[]> => {
    const review = new Review();
    const next = random(5);
    const files = ["a/one.jpg", "b/one.jpg", "c/ONE.JPG", "d/CON.png", "e/žubr ..\u202egpj.exe", "f/missing.jpg", "g/large.bin", "h/old.jpg"];
    const { added } = review.add(files.map((path, i) => item(path, path === "g/large.bin" ? new Uint8Array(9 << 20).fill(7) : path, path === "h/old.jpg" ? 0 : 1.6e12 + 1e10 * i)));
    added.forEach((id) => review.answered(id, { ...madeAnswer(next), categories: [{ category: "and/or", probability: 1, rationales: [] }] }));
    review.correct(added.slice(1, 2), "and:or");
    review.source(added[5]!)!.file = () => Promise.reject(new DOMException("gone", "NotFoundError"));
    const sink = new BlobSink();
    const out = await zipInto(sink, review, places(review, added));
    await upload("photos.zip", sink.blob());
    return out.map((s) => `${s.result} ${s.folder}/${s.name} ${s.problem}`.trim());
  },

  /** Uploads a ZIP file of many small files. */
  manyFiles: async (n: number): Promise<void> => {
    const sink = new BlobSink();
    const zip = new ZipWriter(sink);
    const empty = new Blob();
    for (let i = 0; i < n; i++) {
      await zip.add(`${i}`, new Date(2020, 1, 2), empty, 0);
    }
    await zip.finish();
    await upload("many.zip", sink.blob());
  },

  /** Uploads what is around files of the given sizes, and returns where it stands. */
  largeFiles: async (sizes: number[]): Promise<{ size: number; parts: number[][] }> => {
    const sink = new SparseSink();
    const zip = new ZipWriter(sink);
    for (const [i, size] of sizes.entries()) {
      await zip.add(`large ${i}`, new Date(2020, 1, 2), zeros(size), 0x12345678);
    }
    await zip.finish();
    await upload("large.parts", new Blob(sink.parts.map((p) => p.bytes)));
    return { size: sink.size, parts: sink.parts.map(({ at, bytes }) => [at, bytes.length]) };
  },

  crcOfLarge: async (): Promise<boolean> => {
    const bytes = new Uint8Array((9 << 20) + 5).map((_, i) => i * 31);
    return (await crcOf(new Blob([bytes]))) === crc32(bytes);
  },

  write: (files: Record<string, string>): Promise<void[]> => Promise.all(Object.entries(files).map(([path, text]) => writeFile(path, text))),
  tree,

  /** Sorts the files below a folder of the origin's own file system into another one. */
  sort: async (from: string, to: string, options: { move?: boolean; spoil?: boolean; correct?: Record<string, string> }): Promise<string[]> => {
    const review = new Review();
    const found: NewItem[] = [];
    for await (const file of fromFolder(await folderAt(from))) {
      found.push(file);
    }
    const { added } = review.add(found);
    added.forEach((id) => review.correct([id], options.correct?.[review.get(id)!.name] ?? "sorted"));
    const target = await folderAt(to);
    const { write } = FileSystemWritableFileStream.prototype;
    if (options.spoil) {
      FileSystemWritableFileStream.prototype.write = function (this: FileSystemWritableFileStream) {
        return write.call(this, new Blob(["spoilt"]));
      };
    }
    try {
      const out = await sortInto(target, review, places(review, added), { move: options.move ?? false });
      if (options.move) {
        const again: NewItem[] = [];
        for await (const file of fromFolder(target)) {
          again.push(file);
        }
        const { known } = review.add(again);
        moved = out.filter(({ id, result }) => result === "moved" && !known.includes(id)).map((s) => s.name);
      }
      return out.map((s) => `${s.result} ${s.folder}/${s.name} ${s.problem}`.trim());
    } finally {
      FileSystemWritableFileStream.prototype.write = write;
    }
  },

  lost: (): string[] => moved,

  /** Brings in files that cannot be read, and then the same ones where they can. */
  readableAgain: async (): Promise<object> => {
    review = new Review();
    const intake = new Intake(review);
    const image = fromBase64("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==");
    const good = ["a/gone.jpg", "a/locked.jpg", "a/fine.png"].map((path) => item(path, image));
    const broken = { file: () => Promise.reject(new DOMException("", "NotReadableError")) };
    const reason = { kind: "unreadable", message: "" } as const;
    await intake.bring([{ ...good[0]!, size: 0, modified: 0, state: "skipped", reason, source: broken }, { ...good[1]!, source: broken }, good[2]!]);
    await intake.settled();
    const before = summary();
    await intake.bring(good);
    await intake.settled();
    return { before, after: summary(), sizes: [...review.items()].map((i) => i.size) };
  },

  /** What is said about files whose headers go on and on. */
  hostileHeaders: async (): Promise<{ said: Record<string, string>; reads: number }> => {
    const many = (piece: number[], bytes: number) => {
      const all = new Uint8Array(bytes);
      for (let at = 0; at + piece.length <= bytes; at += piece.length) {
        all.set(piece, at);
      }
      return all;
    };
    const size = 50 << 20;
    const files = {
      "fill bytes": [Uint8Array.of(0xff, 0xd8), new Uint8Array(size).fill(0xff)],
      segments: [Uint8Array.of(0xff, 0xd8), many([0xff, 0xe1, 0, 2], size)],
      chunks: [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 1, 44, 0, 0, 0, 200, 8, 2, 0, 0, 0, 0, 0, 0, 0), many([0, 0, 0, 0, 0x74, 0x45, 0x58, 0x74, 0, 0, 0, 0], size)],
      boxes: [new TextEncoder().encode("\0\0\0\x10ftypavif\0\0\0\0"), many([0, 0, 0, 8, 0x66, 0x72, 0x65, 0x65], size)],
    };
    const said: Record<string, string> = {};
    let reads = 0; // the most of one file
    for (const [name, parts] of Object.entries(files)) {
      const file = new Blob(parts);
      let n = 0;
      file.slice = (...range) => (n++, Blob.prototype.slice.call(file, ...range));
      try {
        const { format, width, height, upright } = await readHeader(file);
        said[name] = `${format} ${width} ${height}, ${upright ? "upright" : "turned perhaps"}`;
      } catch (e) {
        said[name] = (e as Error).message;
      }
      reads = Math.max(reads, n);
    }
    return { said, reads };
  },

  /** What is wrong with several tags, and what a photo has at last. */
  tags: (): string[] => {
    const review = new Review();
    const { added } = review.add([item("p.jpg")]);
    const out = [["trip", "Trip", "holiday"], ["fine", "a|b"], ["x".repeat(61)], ["\u0007"], Array.from({ length: 29 }, (_, i) => `${i}`)].map((tags) => review.tag(added, tags));
    review.tag(added, ["trip", "Holiday"], ["HOLIDAY"]);
    return [...out, review.get(added[0]!)!.tags.join(",")];
  },

  /** Brings made-up files into a review and says what was found out about them. */
  intake: async (files: { path: string; base64: string; broken?: boolean }[]): Promise<object[]> => {
    review = new Review();
    const intake = new Intake(review);
    const made = files.map(({ path, base64, broken }) => {
      const found = item(path, fromBase64(base64));
      return broken ? { ...found, source: { file: () => Promise.reject(new DOMException("", "NotReadableError")) } } : found;
    });
    await intake.bring(made);
    await intake.bring(made.slice(0, 1)); // the same again
    await intake.settled();
    return summary();
  },

  /** Waits for a drop and returns the paths of what it brought. */
  awaitDrop: async (how: "handles" | "entries"): Promise<string[]> => {
    const { getAsFileSystemHandle } = DataTransferItem.prototype as { getAsFileSystemHandle?: unknown };
    if (how === "entries") {
      delete (DataTransferItem.prototype as { getAsFileSystemHandle?: unknown }).getAsFileSystemHandle;
    }
    document.body.dataset["ready"] = how;
    const ignored: string[] = [];
    const folders: string[] = [];
    const found = await new Promise<AsyncIterable<NewItem>>((resolve) => {
      document.addEventListener("dragover", (event) => event.preventDefault());
      document.addEventListener(
        "drop",
        (event) => {
          event.preventDefault();
          resolve(fromTransfer(event.dataTransfer!, { onIgnored: (path) => ignored.push(path), onFolder: (f) => folders.push(f.name) }));
        },
        { once: true },
      );
    });
    const paths: string[] = [];
    for await (const { path, size, source } of found) {
      paths.push(`${path} ${size} ${(await source.file()).size} ${source.handle ? "handle" : ""}${source.parent ? " parent" : ""}`.trim());
    }
    Object.assign(DataTransferItem.prototype, { getAsFileSystemHandle });
    return [...paths, ...ignored.map((path) => `ignored ${path}`), ...folders.map((name) => `folder ${name}`)];
  },

  pasted: async (): Promise<string[]> => {
    const data = new DataTransfer();
    data.items.add(new File(["abc"], "image.png", { type: "image/png" }));
    data.items.add("text", "text/plain");
    const paths: string[] = [];
    for await (const { path, size } of fromTransfer(data)) {
      paths.push(`${path} ${size}`);
    }
    const [chosen] = fromFiles([new File(["abcd"], "chosen.png")]);
    return [...paths, `${chosen!.path} ${chosen!.size}`, fromBlob(new Blob(["abcde"]), "snapshot.jpg").path];
  },

  /** Stops bringing in files without end; returns how many came before, and how many after. */
  stop: async (): Promise<number[]> => {
    const review = new Review();
    const intake = new Intake(review);
    const counts: number[] = [];
    async function* endless(): AsyncIterable<NewItem> {
      for (let i = 0; i < 10_000; i++) {
        if (i === 1000) {
          counts.push(review.size);
          intake.stop();
        }
        yield item(`${i}.jpg`, "x");
      }
    }
    await intake.bring(endless());
    await intake.settled();
    return [...counts, review.size];
  },

  digest: async (base64: string): Promise<string> => digest(new Blob([fromBase64(base64)])),

  /** Opens the session and returns the review in it. */
  open: async (): Promise<object[]> => {
    review = new Review();
    problems = [];
    session = await Session.open("ecor /", review, (problem) => problems.push(problem));
    return summary();
  },
  problems: () => problems,
  works: () => session!.works,
  info: () => session!.info,
  summary,
  add: (n: number): void => void review.add(Array.from({ length: n }, (_, i) => item(`album/photo ${i}.jpg`, `content ${i}`))),
  answerAll: (): void => review.batch(() => [...review.items()].forEach(({ id }) => review.answered(id, madeAnswer(random(id))))),
  answerOf: (id: number): string => {
    const answer = review.answer(id)!;
    return JSON.stringify({ ...answer, imageEmbedding: [...answer.imageEmbedding] });
  },
  expected: (id: number): string => {
    const names = new Names();
    const answer = madeAnswer(random(id));
    const kept = unpack(pack(answer, 1, names), names, answer.imageEmbedding);
    return JSON.stringify({ ...kept, imageEmbedding: [...kept.imageEmbedding] });
  },
  mark: (ids: number[], decision: (typeof decisions)[number]): void => {
    review.decide(ids, decision);
    review.tag(ids, ["seen"]);
    review.correct(ids, "zebra");
  },
  /** Resolves when decisions are on disk; other things may still wait. */
  decided: (): Promise<void> => session!.decided(),
  flush: (): Promise<void> => session!.flush(),
  keepImages: (on: boolean): Promise<void> => session!.keepImages(on),
  textOf: async (id: number): Promise<string> => (await review.source(id)!.file()).text(),
  remove: (ids: number[]): void => review.remove(ids),
  useModel: (sha256: string, file = ""): number => session!.useModel(sha256, file),
  awaitedModel: (sha256: string): string => session!.awaitedModel(sha256),
  useLabels: (labels: string): void => session!.useLabels(labels, false),
  toScore: (): number => review.toScore.size,
  close: (): Promise<void> => session!.close(true),
  /** What a newer version of the page is told where a tab with the older one does not let go. */
  upgrade: async (): Promise<{ works: boolean; problems: string[] }> => {
    const problems: string[] = [];
    const store = await openStore("ecor /", (problem) => problems.push(problem), 2);
    const { works } = store;
    store.close();
    return { works, problems };
  },
  wipe: () => deleteEverything({ base: location.href, cachePrefix: "ecor / " }),

  selection: (): number[][] => {
    const review = madeReview(10);
    const view = new View(review, { filter: {}, sort: { by: "added", descending: true } });
    const selection = new Selection();
    const out: number[][] = [];
    const note = () => out.push([...selection.ids].sort((a, b) => a - b));
    selection.on(note);
    selection.range(view, 8);
    selection.range(view, 5);
    selection.toggle(1);
    selection.range(view, 2, true);
    review.remove([6]);
    selection.keep(view);
    selection.all(view);
    selection.clear();
    return out;
  },

  labels: (before: object, after: object) => compareLabels(before as never, after as never),
};

Object.assign(globalThis, { hooks });
