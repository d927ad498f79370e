/** What a change of labels means for a review. */

import type { Pack, Templates } from "../api";
import { distinctRationales } from "../wire";

/** The difference between two label packs, as far as answers depend on it. */
export interface LabelChange {
  /** Whether answers are out of date. Embeddings of photos never are: only texts are read again. */
  answers: boolean;
  /** Texts that were not there before; those that stay keep what was computed for them, unless templates changed. */
  added: { categories: string[]; rationales: string[] };
  removed: { categories: string[]; rationales: string[] };
  templates: (keyof Templates)[]; // kinds that changed
}

export function compareLabels(before: Pick<Pack, "templates" | "categories">, after: Pick<Pack, "templates" | "categories">): LabelChange {
  const kinds = ["category", "rationale", "conditional"] as const;
  const templates = kinds.filter((kind) => !sameList(before.templates[kind], after.templates[kind]));
  const lists = (pack: Pick<Pack, "categories">) => ({ categories: pack.categories.map((c) => c.name), rationales: distinctRationales(pack.categories) });
  const [old, now] = [lists(before), lists(after)];
  const minus = (a: typeof old, b: typeof old) => ({ categories: without(a.categories, b.categories), rationales: without(a.rationales, b.rationales) });
  const sameCategories = before.categories.length === after.categories.length && before.categories.every((c, i) => {
    const other = after.categories[i]!;
    return c.name === other.name && sameList(c.rationales, other.rationales);
  });
  return { answers: templates.length > 0 || !sameCategories, added: minus(now, old), removed: minus(old, now), templates };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((s, i) => s === b[i]);
}

function without(list: readonly string[], others: readonly string[]): string[] {
  const set = new Set(others);
  return list.filter((s) => !set.has(s));
}
