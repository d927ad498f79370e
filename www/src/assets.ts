/** What www/site writes into the scripts about the site's own files. */

export interface SiteFile {
  path: string; // relative to the site
  size: number; // bytes
  sha256: string; // lower-case hex
  type: string; // media type
  pieces?: string[]; // SHA-256 of each piece, where the file is longer than one
}

/** Bytes of a piece of a file that is checked as it arrives; the last one may be shorter. */
export const pieceBytes = 1 << 20;

/** The engine and the model of a site. */
export interface Site {
  version: string; // hash over all files
  module: SiteFile;
  relaxed: SiteFile; // the module for browsers with relaxed SIMD
  weights: SiteFile;
  labels: SiteFile;
  embeddings: SiteFile | null; // of the labels; null where there are none
}

/** Name of the cache that a version of the site is kept in. Sites in other folders of the same origin have others. */
export function cacheName(base: string, version: string): string {
  return cachePrefix(base) + version;
}

/** What the names of all caches of a site begin with, whatever its version. */
export function cachePrefix(base: string): string {
  return `ecor ${new URL(base).pathname} `;
}

/** A file's key in a cache. It names the content, so a file of another version cannot be taken for this one. */
export function cacheKey(file: SiteFile, base: string): string {
  return new URL(`${file.path}?sha256=${file.sha256}`, base).href;
}

/** Name of the lock that is held while a worker keeps files, so that the service worker does not fetch them at the same time. */
export function keepingLock(base: string): string {
  return cachePrefix(base) + "files";
}
