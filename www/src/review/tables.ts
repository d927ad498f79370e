/** A review as CSV and JSON; docs/exports.md describes the columns and fields. */

import type { Answer } from "../wire";
import { csvLine, harmless } from "./csv";
import { exactFloat32, formatFloat32 } from "./numbers";
import type { Review } from "./review";
import type { Item } from "./types";

/** As many as tools/classify writes where its flags do not say otherwise. */
export const exportedCategories = 5;
export const exportedRationales = 3;

const itemsAtOnce = 200; // written without a pause

const answerColumns = ["file", "method", "uncovered", "rank", "category", "probability", "rationale", "joint"];
const reviewColumns = [
  "file", "decision", "tags", "corrected", "category", "probability", "uncovered", "method", "rationale", "joint",
  "state", "reason", "width", "height", "size", "modified", "duplicate_of",
];

/** Returns the answers of the items that have one: the table of `classify -csv`. */
export function answersCSV(review: Review, ids: Iterable<number>): Promise<Blob> {
  return table(answerColumns, review, ids, (item) => {
    const answer = exported(review, item);
    return (answer?.categories ?? []).flatMap((c, i) => {
      const row = [harmless(item.path), answer!.method, formatFloat32(answer!.uncovered), String(i + 1), harmless(c.category), formatFloat32(c.probability)];
      const { rationales } = c;
      return rationales.length > 0 ? rationales.map((r) => [...row, harmless(r.rationale), formatFloat32(r.joint)]) : [[...row, "", ""]];
    });
  });
}

/** Returns a line for every item. */
export function reviewCSV(review: Review, ids: Iterable<number>): Promise<Blob> {
  return table(reviewColumns, review, ids, (item) => {
    const answer = exported(review, item);
    const best = answer?.categories[0];
    const reason = best?.rationales[0];
    const float = (v: number | undefined) => (v === undefined ? "" : formatFloat32(v));
    return [
      [
        harmless(item.path), item.decision, harmless(item.tags.join("|")), harmless(item.corrected), harmless(best?.category ?? ""),
        float(best?.probability), float(answer?.uncovered), answer?.method ?? "", harmless(reason?.rationale ?? ""), float(reason?.joint),
        item.state, harmless(item.reason?.message ?? ""), positive(item.width), positive(item.height), String(item.size), date(item.modified),
        harmless(review.get(item.duplicateOf)?.path ?? ""),
      ],
    ];
  });
}

function exported(review: Review, { id }: Item): Answer | undefined {
  return review.answer(id, exportedCategories, exportedRationales);
}

async function table(columns: readonly string[], review: Review, ids: Iterable<number>, rows: (item: Item) => string[][]): Promise<Blob> {
  const parts = [csvLine(columns)];
  for await (const item of existing(review, ids)) {
    parts.push(rows(item).map(csvLine).join(""));
  }
  return new Blob(parts, { type: "text/csv;charset=utf-8" });
}

/** What is said about the whole in JSON. */
export interface About {
  model: { name: string; sha256: string; scheme: string };
  labels: { name: string; categories: number; rationales: number };
  exported?: Date;
}

/** Returns the review as a document of format ecor-review-1, one photo a line. */
export async function reviewJSON(review: Review, ids: Iterable<number>, about: About): Promise<Blob> {
  const { model, labels, exported = new Date() } = about;
  const head = { format: "ecor-review-1", exported: exported.toISOString(), model, labels };
  const parts = [JSON.stringify(head).slice(0, -1), ',"photos":['];
  let separator = "\n";
  for await (const item of existing(review, ids)) {
    parts.push(separator, JSON.stringify(photo(review, item)));
    separator = ",\n";
  }
  parts.push("\n]}\n");
  return new Blob(parts, { type: "application/json" });
}

function photo(review: Review, item: Item): object {
  const { path, size, width, height, state, reason, decision, tags, corrected, modified, duplicateOf } = item;
  const answer = exported(review, item);
  return {
    file: path,
    size,
    ...(modified > 0 && { modified: date(modified) }),
    ...(width > 0 && { width, height }),
    state,
    ...(reason && { reason }),
    decision,
    tags,
    ...(corrected && { corrected }),
    ...(duplicateOf > 0 && { duplicateOf: review.get(duplicateOf)?.path }),
    ...(answer && scores(answer)),
  };
}

/** The fields of a line of `classify -json`. */
function scores({ categories, uncovered, method }: Answer): object {
  return {
    categories: categories.map((c) => ({
      category: c.category,
      probability: exactFloat32(c.probability),
      rationales: c.rationales.map((r) => ({ rationale: r.rationale, joint: exactFloat32(r.joint) })),
    })),
    uncovered: exactFloat32(uncovered),
    method,
  };
}

/** Yields the items that there are, with pauses in which the page can answer. */
async function* existing(review: Review, ids: Iterable<number>): AsyncIterable<Item> {
  let n = 0;
  for (const id of ids) {
    const item = review.get(id);
    if (item) {
      yield item;
    }
    if (++n % itemsAtOnce === 0) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
}

function positive(n: number): string {
  return n > 0 ? String(n) : "";
}

function date(milliseconds: number): string {
  return milliseconds > 0 ? new Date(milliseconds).toISOString() : "";
}
