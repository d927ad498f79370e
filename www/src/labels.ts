/**
 * Label packs: what a photo is classified into. The rules are those of
 * wasm/host/labelpack; names that differ in case or white space only count as
 * the same.
 */

import { labelProblems as problems } from "./strings";
import { distinctRationales, type Category, type Templates } from "./wire";

export const format = "ecor-labels-1";

export const maxCategories = 4096;
export const maxRationales = 64; // of one category
export const maxLabel = 400; // bytes of a category, rationale or template
export const maxTemplates = 16; // of one kind
const maxFile = 8 << 20; // bytes

export interface Pack {
  name: string;
  language: string; // as in BCP 47
  author: string;
  license: string;
  templates: Templates; // an empty list means the weights' own
  categories: Category[];
}

/** Parses a label pack; throws with a sentence that names the item, its value and the limit. */
export function parsePack(text: string): Pack {
  if (byteLength(text) > maxFile) {
    throw new Error(problems.fileSize(maxFile));
  }
  text = text.replace(/^\ufeff/, "");
  try {
    JSON.parse(text);
  } catch (e) {
    throw new Error(problems.notJSON((e as Error).message));
  }
  const members = object(readOrdered(text), problems.pack);
  const pack: Pack = {
    name: "",
    language: "",
    author: "",
    license: "",
    templates: { category: [], rationale: [], conditional: [] },
    categories: [],
  };
  let version = "";
  const seen = new Set<string>();
  for (const [key, value] of members) {
    if (seen.has(key)) {
      throw new Error(problems.keyTwice(quote(key)));
    }
    seen.add(key);
    switch (key) {
      case "format":
        version = string(value, quote(key));
        break;
      case "name":
      case "language":
      case "author":
      case "license":
        pack[key] = string(value, quote(key));
        break;
      case "templates":
        pack.templates = templates(value);
        break;
      case "categories":
        pack.categories = object(value, "categories").map(([name, list]) => ({
          name,
          rationales: strings(list, problems.rationaleIn(quote(name))),
        }));
        break;
      default:
        throw new Error(problems.unknownKey(quote(key)));
    }
  }
  if (version !== format) {
    throw new Error(problems.format(quote(version), quote(format)));
  }
  pack.categories = pack.categories.map(tidy);
  const first = checkCategories(pack.categories)[0];
  if (first) {
    throw new Error(first.message);
  }
  return pack;
}

/** Returns the label pack as JSON, one category a line. */
export function formatPack(pack: Pack): string {
  const { name, language, author, license } = pack;
  const lines = Object.entries({ format, name, language, author, license, templates: pack.templates })
    .filter(([key]) => key !== "templates" || Object.values(pack.templates).some((list) => list.length > 0))
    .map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value, (_, v) => (isEmptyList(v) ? undefined : v))}`);
  const categories = pack.categories.map((c) => `    ${JSON.stringify(c.name)}: ${JSON.stringify(c.rationales)}`);
  lines.push(`  "categories": {\n${categories.join(",\n")}\n  }`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

function isEmptyList(v: unknown): boolean {
  return Array.isArray(v) && v.length === 0;
}

/** One thing that is wrong with a list of categories. */
export interface Problem {
  /** Index of the category, or undefined where the list itself is wrong. */
  category: number | undefined;
  message: string;
}

/** Returns a category without white space around its names. */
export function tidy(c: Category): Category {
  return { name: c.name.trim(), rationales: c.rationales.map((r) => r.trim()) };
}

/** Returns what is wrong with the categories, in their order; at most one problem for each. */
export function checkCategories(categories: readonly Category[]): Problem[] {
  const found: Problem[] = [];
  if (categories.length === 0) {
    found.push({ category: undefined, message: problems.noCategories });
  }
  if (categories.length > maxCategories) {
    found.push({ category: undefined, message: problems.tooManyCategories(categories.length, maxCategories) });
  }
  const seen = new Map<string, string>();
  categories.forEach((c, i) => {
    const message = labelProblem(problems.category, c.name) ?? repeated(problems.category, c.name, seen) ?? rationalesProblem(c);
    if (message) {
      found.push({ category: i, message });
    }
  });
  return found;
}

function rationalesProblem(c: Category): string | undefined {
  if (c.rationales.length === 0) {
    return problems.noRationale(quote(c.name));
  }
  if (c.rationales.length > maxRationales) {
    return problems.tooManyRationales(quote(c.name), c.rationales.length, maxRationales);
  }
  const seen = new Map<string, string>();
  for (const r of c.rationales) {
    const what = problems.rationaleOf(quote(c.name));
    const message = labelProblem(what, r) ?? repeated(what, r, seen);
    if (message) {
      return message;
    }
  }
  return undefined;
}

/** Says why a trimmed text cannot be a label, if so. */
function labelProblem(what: string, s: string): string | undefined {
  const size = byteLength(s);
  if (s === "") {
    return problems.empty(what);
  }
  if (size > maxLabel) {
    return problems.tooLong(what, quote(s), size, maxLabel);
  }
  if (/\p{Cc}/u.test(s)) {
    return problems.controlCharacter(what, quote(s));
  }
  if (s.includes("\ufffd") || /\p{Cs}/u.test(s)) {
    return problems.brokenCharacter(what, quote(s));
  }
  return undefined;
}

/** Says that a label equals an earlier one, if so, and remembers it. */
function repeated(what: string, s: string, seen: Map<string, string>): string | undefined {
  const key = s.toLowerCase().split(/\s+/u).join(" ");
  const first = seen.get(key);
  seen.set(key, first ?? s);
  if (first === undefined) {
    return undefined;
  }
  return problems.twice(what, quote(s), first === s ? undefined : quote(first));
}

/** Counts for people. */
export function counts(categories: readonly Category[]): { categories: number; rationales: number } {
  return { categories: categories.length, rationales: distinctRationales(categories).length };
}

function templates(value: Json): Templates {
  const out: Templates = { category: [], rationale: [], conditional: [] };
  const slots = { category: ["{c}"], rationale: ["{r}"], conditional: ["{c}", "{r}"] };
  for (const [key, list] of object(value, "templates")) {
    if (key !== "category" && key !== "rationale" && key !== "conditional") {
      throw new Error(problems.unknownTemplate(quote(key)));
    }
    if (out[key].length > 0) {
      throw new Error(problems.templateKeyTwice(quote(key)));
    }
    out[key] = strings(list, problems.template(key)).map((s) => s.trim());
    if (out[key].length === 0 || out[key].length > maxTemplates) {
      throw new Error(problems.templates(key, out[key].length, maxTemplates));
    }
    for (const s of out[key]) {
      checkTemplate(problems.template(key), s, slots[key]);
    }
  }
  return out;
}

function checkTemplate(what: string, s: string, slots: readonly string[]): void {
  const problem = labelProblem(what, s);
  if (problem) {
    throw new Error(problem);
  }
  for (const slot of ["{c}", "{r}"]) {
    const n = s.split(slot).length - 1;
    if (n !== (slots.includes(slot) ? 1 : 0)) {
      throw new Error(problems.slot(what, quote(s), slot, slots.includes(slot)));
    }
  }
}

/** JSON as it stands in the text: order and repeated keys of objects are kept. */
type Json = string | number | boolean | null | Json[] | Members;

class Members {
  readonly list: [string, Json][] = [];
}

/** Reads text, which must be valid JSON. */
function readOrdered(text: string): Json {
  const tokens = /[{}[\]:,]|"(?:[^"\\]|\\.)*"|[^\s{}[\]:,"]+/g;
  const next = () => tokens.exec(text)![0];
  const value = (token: string): Json => {
    if (token === "{") {
      const members = new Members();
      for (let t = next(); t !== "}"; t = next()) {
        if (t !== ",") {
          next(); // the colon
          members.list.push([JSON.parse(t) as string, value(next())]);
        }
      }
      return members;
    }
    if (token === "[") {
      const items: Json[] = [];
      for (let t = next(); t !== "]"; t = next()) {
        if (t !== ",") {
          items.push(value(t));
        }
      }
      return items;
    }
    return JSON.parse(token) as Json;
  };
  return value(next());
}

function object(v: Json, what: string): [string, Json][] {
  if (!(v instanceof Members)) {
    throw new Error(problems.notAnObject(what, kindOf(v)));
  }
  return v.list;
}

function string(v: Json, what: string): string {
  if (typeof v !== "string") {
    throw new Error(problems.notAString(what, kindOf(v)));
  }
  if (byteLength(v) > maxLabel) {
    throw new Error(problems.tooLong(what, quote(v), byteLength(v), maxLabel));
  }
  return v;
}

/** Reads one string or a list of strings. */
function strings(v: Json, what: string): string[] {
  if (typeof v === "string") {
    return [v];
  }
  if (!Array.isArray(v)) {
    throw new Error(problems.notStrings(what, kindOf(v)));
  }
  return v.map((item) => string(item, what));
}

function kindOf(v: Json): string {
  if (v instanceof Members) {
    return problems.kinds.object;
  }
  if (Array.isArray(v)) {
    return problems.kinds.list;
  }
  return typeof v === "string" ? problems.kinds.string : String(v);
}

/** Quotes a text, cut after 40 characters. */
function quote(s: string): string {
  const characters = [...s];
  return characters.length > 40 ? JSON.stringify(characters.slice(0, 40).join("")) + "…" : JSON.stringify(s);
}

function byteLength(s: string): number {
  return new TextEncoder().encode(s).length;
}
