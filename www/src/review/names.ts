/** Names of files and folders that every system accepts and that do not meet. */

const maxBytes = 200; // of a name in UTF-8; file systems take 255, a number may be added
const maxExtension = 12; // characters with the dot

/** Names that Windows keeps for devices, with any extension. */
const reserved = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$/i;

/**
 * Returns a name without path separators, control characters, characters that
 * change the direction of writing, and what Windows refuses. An extension
 * stays where there is one.
 */
export function safeName(name: string, fallback = "unnamed"): string {
  const clean = name
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd<>:"/\\|?*]/gu, "_")
    .replace(/[. ]+$/u, "")
    .replace(/^ +/u, "");
  let [stem, extension] = split(clean);
  stem = cut(stem, maxBytes - byteLength(extension)).replace(/[. ]+$/u, "") || fallback;
  // Windows looks at what stands before the first dot.
  if (reserved.test(stem.split(".")[0]!.trimEnd())) {
    stem = "_" + stem;
  }
  return stem + extension;
}

/** Splits a name into what stands before its extension, and the extension with its dot. */
export function split(name: string): [stem: string, extension: string] {
  const dot = name.lastIndexOf(".");
  return dot > 0 && name.length - dot <= maxExtension ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
}

/** Cuts a text between characters so that it has at most n bytes. */
function cut(text: string, n: number): string {
  if (byteLength(text) <= n) {
    return text;
  }
  let bytes = 0;
  let out = "";
  for (const c of text) {
    bytes += byteLength(c);
    if (bytes > n) {
      break;
    }
    out += c;
  }
  return out;
}

/** Gives names in one folder out once each, whatever their case. */
export class Taken {
  private readonly names = new Set<string>();
  private readonly last = new Map<string, number>(); // number that a name got last

  /** Returns the name, or the name with the first free number: "a (2).jpg". */
  take(name: string): string {
    const [stem, extension] = split(name);
    let out = name;
    for (let n = (this.last.get(key(name)) ?? 1) + 1; this.names.has(key(out)); n++) {
      out = `${stem} (${n})${extension}`;
      this.last.set(key(name), n);
    }
    this.names.add(key(out));
    return out;
  }
}

/** Names that a file system may take for one have the same key. */
function key(name: string): string {
  return name.normalize("NFC").toUpperCase().toLowerCase();
}

function byteLength(s: string): number {
  return new TextEncoder().encode(s).length;
}
