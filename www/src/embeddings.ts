/** Reads the text embeddings that belong to a label pack. */

export interface LabelEmbeddings {
  dim: number;
  category: Float32Array; // (C, dim), unit rows
  rationale: Float32Array; // (R, dim), unit rows
}

interface Entry {
  dtype: string;
  shape: [number, number];
  data_offsets: [number, number];
}

const format = "ecor-label-embeddings-1";

/**
 * Reads a safetensors file of label embeddings. Returns undefined where it
 * belongs to other weights or labels than those with the given hashes.
 */
export function readEmbeddings(file: ArrayBuffer, weightsSHA256: string, labelsSHA256: string): LabelEmbeddings | undefined {
  const size = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, size))) as {
    __metadata__: Record<string, string>;
    category: Entry;
    rationale: Entry;
  };
  const about = header.__metadata__;
  if (about["format"] !== format || about["weights_sha256"] !== weightsSHA256 || about["labels_sha256"] !== labelsSHA256) {
    return undefined;
  }
  const tensor = ({ data_offsets: [from, to] }: Entry) => new Float32Array(file.slice(8 + size + from, 8 + size + to));
  return {
    dim: header.category.shape[1],
    category: tensor(header.category),
    rationale: tensor(header.rationale),
  };
}
