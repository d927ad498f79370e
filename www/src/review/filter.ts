/** Which items a filter lets through, and how items are ordered. */

import { categoryOf } from "./tally";
import { decisions, type Filter, type Item, type Sort, type Unsure } from "./types";

/** Returns a test for a filter. */
export function matcher(filter: Filter): (item: Item) => boolean {
  const words = fold(filter.text ?? "").split(/\s+/u).filter(Boolean);
  const tests: ((item: Item) => boolean)[] = [];
  const { categories, rationales, share, decisions, states, tags, unsure, corrected, duplicates } = filter;
  if (states) {
    tests.push((item) => states.has(item.state));
  }
  if (decisions) {
    tests.push((item) => decisions.has(item.decision));
  }
  if (categories) {
    tests.push((item) => categories.has(categoryOf(item)));
  }
  if (rationales) {
    tests.push((item) => item.best?.rationales.some((r) => rationales.has(r)) ?? false);
  }
  if (share) {
    const [low, high] = share;
    tests.push((item) => item.best !== undefined && item.best.share >= low && item.best.share <= high);
  }
  if (tags) {
    tests.push((item) => item.tags.some((t) => tags.has(t)));
  }
  if (unsure) {
    tests.push((item) => isUnsure(item, unsure));
  }
  if (corrected !== undefined) {
    tests.push((item) => (item.corrected !== "") === corrected);
  }
  if (duplicates !== undefined) {
    tests.push((item) => item.duplicateOf > 0 === duplicates);
  }
  if (words.length > 0) {
    tests.push((item) => words.every((word) => searchText(item).includes(word)));
  }
  return (item) => tests.every((test) => test(item));
}

/** Whether an item has an answer that does not say much. */
export function isUnsure({ best }: Item, { margin, uncovered }: Unsure): boolean {
  return best !== undefined && (best.margin < margin || best.uncovered > uncovered);
}

const searchTexts = new WeakMap<Item, string>();

function searchText(item: Item): string {
  let text = searchTexts.get(item);
  if (text === undefined) {
    const { path, corrected, tags, best } = item;
    text = fold([path, corrected, best?.category ?? "", ...tags, ...(best?.rationales ?? [])].join("\n"));
    searchTexts.set(item, text);
  }
  return text;
}

/** Makes texts comparable: file names come composed or decomposed. */
function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** What items are sorted by; undefined is "no value". */
const keys: Record<Sort["by"], (item: Item) => string | number | undefined> = {
  added: (item) => item.id,
  name: (item) => item.name,
  path: (item) => item.path,
  modified: (item) => item.modified || undefined,
  size: (item) => item.size,
  category: (item) => categoryOf(item) || undefined,
  share: (item) => item.best?.share,
  margin: (item) => item.best?.margin,
  uncovered: (item) => item.best?.uncovered,
  decision: (item) => (item.decision === "none" ? undefined : decisions.indexOf(item.decision)),
};

/** Returns a total order: no two items are equal in it. */
export function comparer({ by, descending }: Sort): (a: Item, b: Item) => number {
  const key = keys[by];
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const x = key(a);
    const y = key(b);
    if (x === undefined || y === undefined) {
      return Number(x === undefined) - Number(y === undefined) || a.id - b.id;
    }
    const order = typeof x === "string" ? collator.compare(x, y as string) : x - (y as number);
    return sign * order || a.id - b.id;
  };
}
