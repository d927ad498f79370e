/**
 * Answers in little memory: the top 20 categories with 20 rationales each take
 * about 4 kB of numbers; the names are shared by all answers of a review.
 */

import type { Answer, CategoryScore } from "../wire";
import type { Best, Method, StoredAnswer } from "./types";

/** What is kept of an answer: enough for a table of 20 × 20; ask the engine for as much. */
export const keptCategories = 20;
export const keptRationales = 20; // of each category

const bestRationales = 3;

/** Numbers for names. */
export class Names {
  private readonly list: string[] = [];
  private readonly indexes = new Map<string, number>();

  index(name: string): number {
    let i = this.indexes.get(name);
    if (i === undefined) {
      i = this.list.length;
      this.list.push(name);
      this.indexes.set(name, i);
    }
    return i;
  }

  name(index: number): string {
    const name = this.list[index];
    if (name === undefined) {
      throw new Error(`name ${index} of ${this.list.length} does not exist`);
    }
    return name;
  }
}

/** An answer whose names are numbers in a Names. */
export type Packed = Omit<StoredAnswer, "names">;

/** Packs an answer without its image embedding. */
export function pack(answer: Answer, labels: number, names: Names): Packed {
  const categories = answer.categories.slice(0, keptCategories);
  const lists = categories.map((c) => c.rationales.slice(0, keptRationales));
  const rationales = lists.flat();
  let end = 0;
  return {
    labels,
    method: answer.method,
    kept: answer.kept,
    uncovered: answer.uncovered,
    categories: Uint32Array.from(categories, (c) => names.index(c.category)),
    probabilities: Float32Array.from(categories, (c) => c.probability),
    ends: Uint32Array.from(lists, (list) => (end += list.length)),
    rationales: Uint32Array.from(rationales, (r) => names.index(r.rationale)),
    joints: Float32Array.from(rationales, (r) => r.joint),
  };
}

/** Returns the answer that was packed, or its first categories and their first rationales. */
export function unpack(p: Packed, names: Names, imageEmbedding: Float32Array, top = keptCategories, topRationales = keptRationales): Answer {
  const { method, kept, uncovered } = p;
  const categories = Array.from(p.categories.subarray(0, top), (_, i) => score(p, i, names, topRationales));
  return { method, kept, uncovered, categories, imageEmbedding };
}

function score(p: Packed, i: number, names: Names, top: number): CategoryScore {
  const rationales = [];
  const from = i > 0 ? p.ends[i - 1]! : 0;
  for (let j = from; j < Math.min(p.ends[i]!, from + top); j++) {
    rationales.push({ rationale: names.name(p.rationales[j]!), joint: p.joints[j]! });
  }
  return { category: names.name(p.categories[i]!), probability: p.probabilities[i]!, rationales };
}

/** Returns the part that grids and filters read, or undefined where there is no category. */
export function bestOf(p: Packed, names: Names): Best | undefined {
  if (p.categories.length === 0) {
    return undefined;
  }
  const { category, probability, rationales } = score(p, 0, names, bestRationales);
  const whole = weighed(p);
  return {
    method: p.method,
    labels: p.labels,
    category,
    probability,
    share: probability / whole,
    margin: (probability - (p.probabilities[1] ?? 0)) / whole,
    uncovered: p.uncovered,
    rationales: rationales.map((r) => r.rationale),
  };
}

/**
 * Returns the part of the probability that an answer hands out. ECOR's values
 * leave out the mass of the rationales that were not weighed.
 */
export function weighed({ method, uncovered }: { method: Method; uncovered: number }): number {
  return method === "ecor" ? Math.max(1 - uncovered, 1e-6) : 1;
}

/** Gives an answer names of its own, so that it can be kept. */
export function toStored(p: Packed, names: Names): StoredAnswer {
  const own = new Names();
  const list: string[] = [];
  const renumber = (i: number) => {
    const index = own.index(names.name(i));
    list[index] = names.name(i);
    return index;
  };
  return { ...p, categories: p.categories.map(renumber), rationales: p.rationales.map(renumber), names: list };
}

/** Undoes toStored. */
export function fromStored(stored: StoredAnswer, names: Names): Packed {
  const { names: own, ...p } = stored;
  const renumber = (i: number) => names.index(own[i] ?? "");
  return { ...p, categories: p.categories.map(renumber), rationales: p.rationales.map(renumber) };
}
