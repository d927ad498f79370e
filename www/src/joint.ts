import type { Answer, JointTable } from "./api";

/** See api.ts. */
export function jointTable({ categories }: Answer): JointTable {
  const sums = new Map<string, number>();
  for (const { rationales } of categories) {
    for (const { rationale, joint } of rationales) {
      sums.set(rationale, (sums.get(rationale) ?? 0) + joint);
    }
  }
  const rationales = [...sums.keys()].sort((a, b) => sums.get(b)! - sums.get(a)!);
  const column = new Map(rationales.map((r, i) => [r, i]));
  const joint = new Float32Array(categories.length * rationales.length);
  categories.forEach((c, row) => {
    for (const { rationale, joint: p } of c.rationales) {
      joint[row * rationales.length + column.get(rationale)!] = p;
    }
  });
  return { categories: categories.map((c) => c.category), rationales, joint };
}
