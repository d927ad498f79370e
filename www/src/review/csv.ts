/**
 * CSV as RFC 4180 describes it, byte for byte as Go's encoding/csv writes it
 * with CRLF, which tools/classify uses.
 */

/** Returns one line. */
export function csvLine(fields: readonly string[]): string {
  return fields.map(quote).join(",") + "\r\n";
}

function quote(field: string): string {
  if (!/[",\r\n]/.test(field) && !/^(?!\ufeff)[\s\u0085]/u.test(field) && field !== "\\.") {
    return field;
  }
  return `"${field.replace(/\r/g, "").replace(/\n/g, "\r\n").replace(/"/g, '""')}"`;
}

/** Where a spreadsheet could read a formula: at the beginning, and after what separates cells in other countries or programs. */
const formula = /((?:^|[;\t\r\n])[ "]*)([=+\-@＝＋－＠])/g;

/** Puts an apostrophe before what a spreadsheet could take for a formula, so that a hostile file name stays a text. */
export function harmless(text: string): string {
  return text.replace(formula, "$1'$2");
}
