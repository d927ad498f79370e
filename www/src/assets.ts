/** The site's own list of files, assets.json; www/site writes it. */

export interface SiteFile {
  path: string; // relative to the site
  size: number; // bytes
  sha256: string; // lower-case hex
  type: string; // media type
}

export interface Assets {
  version: string;
  module: string; // paths
  weights: string;
  labels: string;
  embeddings: string; // empty where there are none
  files: SiteFile[];
}
