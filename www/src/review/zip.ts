/**
 * Writes ZIP files without compression, as PKWARE's APPNOTE.TXT 6.3.10
 * describes them: stored entries whose sizes and CRC-32 stand before the data,
 * names in UTF-8, Zip64 where a number does not fit.
 */

/** Takes the bytes of a file one after another. */
export interface Sink {
  write(part: Uint8Array<ArrayBuffer> | Blob): Promise<void>;
}

const max16 = 0xffff;
const max32 = 0xffffffff;

interface Entry {
  name: Uint8Array<ArrayBuffer>;
  size: number; // bytes
  crc: number;
  time: number; // as in MS-DOS
  date: number;
  offset: number; // of the local header
}

export class ZipWriter {
  private readonly entries: Entry[] = [];
  private at = 0;

  constructor(private readonly sink: Sink) {}

  /**
   * Adds a file. name is relative, with "/" between folders; crc is the
   * contents' CRC-32. The sink reads the contents when it wants to.
   */
  async add(name: string, modified: Date, contents: Blob, crc: number): Promise<void> {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length === 0 || bytes.length > max16) {
      throw new Error(`the name of entry ${this.entries.length + 1} has ${bytes.length} bytes; want 1 to ${max16}`);
    }
    const entry: Entry = { name: bytes, size: contents.size, crc, ...dosTime(modified), offset: this.at };
    this.entries.push(entry);
    await this.write(localHeader(entry));
    await this.write(contents);
  }

  /** Writes the directory, with which the file is complete. */
  async finish(): Promise<void> {
    const start = this.at;
    let block: Uint8Array<ArrayBuffer>[] = [];
    for (const [i, entry] of this.entries.entries()) {
      block.push(centralHeader(entry));
      if (block.length === 1024 || i === this.entries.length - 1) {
        await this.write(new Uint8Array(await new Blob(block).arrayBuffer()));
        block = [];
      }
    }
    await this.write(endOfDirectory(this.entries.length, this.at - start, start));
  }

  private async write(part: Uint8Array<ArrayBuffer> | Blob): Promise<void> {
    this.at += part instanceof Blob ? part.size : part.length;
    await this.sink.write(part);
  }
}

/** Little-endian fields, one after another. */
class Fields {
  private readonly bytes: number[] = [];

  u16(...values: number[]): this {
    for (const v of values) {
      this.bytes.push(v & 0xff, (v >>> 8) & 0xff);
    }
    return this;
  }

  u32(...values: number[]): this {
    for (const v of values) {
      this.u16(v & max16, v >>> 16);
    }
    return this;
  }

  u64(...values: number[]): this {
    for (const v of values) {
      this.u32(v >>> 0, Math.floor(v / 2 ** 32));
    }
    return this;
  }

  done(...more: Uint8Array[]): Uint8Array<ArrayBuffer> {
    const all = [Uint8Array.from(this.bytes), ...more];
    const out = new Uint8Array(all.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of all) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

const utf8Names = 1 << 11; // flag
const version20 = 20; // 2.0: folders
const version45 = 45; // 4.5: Zip64
const unix = 3 << 8; // made by
const mode = 0o100644; // a plain file

function localHeader({ name, size, crc, time, date }: Entry): Uint8Array<ArrayBuffer> {
  const large = size >= max32;
  const extra = large ? new Fields().u16(1, 16).u64(size, size).done() : new Uint8Array(0);
  return new Fields()
    .u32(0x04034b50)
    .u16(large ? version45 : version20, utf8Names, 0, time, date)
    .u32(crc, large ? max32 : size, large ? max32 : size)
    .u16(name.length, extra.length)
    .done(name, extra);
}

function centralHeader({ name, size, crc, time, date, offset }: Entry): Uint8Array<ArrayBuffer> {
  const large = size >= max32;
  const far = offset >= max32;
  const values = [...(large ? [size, size] : []), ...(far ? [offset] : [])];
  const extra = values.length > 0 ? new Fields().u16(1, 8 * values.length).u64(...values).done() : new Uint8Array(0);
  const version = extra.length > 0 ? version45 : version20;
  return new Fields()
    .u32(0x02014b50)
    .u16(unix | version, version, utf8Names, 0, time, date)
    .u32(crc, large ? max32 : size, large ? max32 : size)
    .u16(name.length, extra.length, 0, 0, 0)
    .u32((mode << 16) >>> 0, far ? max32 : offset)
    .done(name, extra);
}

function endOfDirectory(count: number, size: number, start: number): Uint8Array<ArrayBuffer> {
  const end = new Fields();
  if (count >= max16 || size >= max32 || start >= max32) {
    end.u32(0x06064b50).u64(44).u16(unix | version45, version45).u32(0, 0).u64(count, count, size, start);
    end.u32(0x07064b50, 0).u64(start + size).u32(1);
  }
  const few = Math.min(count, max16);
  return end
    .u32(0x06054b50)
    .u16(0, 0, few, few)
    .u32(Math.min(size, max32), Math.min(start, max32))
    .u16(0)
    .done();
}

/** Returns local time as MS-DOS writes it, in steps of two seconds from 1980 to 2107. */
function dosTime(d: Date): { time: number; date: number } {
  const year = d.getFullYear();
  if (!(year >= 1980)) {
    return { time: 0, date: (1 << 5) | 1 };
  }
  if (year > 2107) {
    return { time: (23 << 11) | (59 << 5) | 29, date: (127 << 9) | (12 << 5) | 31 };
  }
  return {
    time: (d.getHours() << 11) | (d.getMinutes() << 5) | (d.getSeconds() >> 1),
    date: ((year - 1980) << 9) | ((d.getMonth() + 1) << 5) | d.getDate(),
  };
}

const slices = 8;
let tables: Uint32Array | undefined;

/** Eight tables of 256: the CRC of a byte that 0 to 7 zero bytes follow. */
function crcTables(): Uint32Array {
  const t = new Uint32Array(slices * 256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) {
      c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    }
    t[i] = c;
  }
  for (let i = 256; i < t.length; i++) {
    const c = t[i - 256]!;
    t[i] = (c >>> 8) ^ t[c & 0xff]!;
  }
  return t;
}

/** Continues a CRC-32 (ISO-HDLC, as in ZIP and PNG) over more bytes; begin with 0. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  const t = (tables ??= crcTables());
  const whole = bytes.length - (bytes.length % slices);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let c = ~crc;
  let i = 0;
  for (; i < whole; i += slices) {
    const low = c ^ view.getInt32(i, true);
    const high = view.getInt32(i + 4, true);
    c =
      t[1792 + (low & 0xff)]! ^ t[1536 + ((low >>> 8) & 0xff)]! ^ t[1280 + ((low >>> 16) & 0xff)]! ^ t[1024 + (low >>> 24)]! ^
      t[768 + (high & 0xff)]! ^ t[512 + ((high >>> 8) & 0xff)]! ^ t[256 + ((high >>> 16) & 0xff)]! ^ t[high >>> 24]!;
  }
  for (; i < bytes.length; i++) {
    c = (c >>> 8) ^ t[(c ^ bytes[i]!) & 0xff]!;
  }
  return ~c >>> 0;
}

const chunk = 4 << 20; // bytes

/** Returns the CRC-32 of a file's contents, which it reads a part at a time. */
export async function crcOf(contents: Blob, signal?: AbortSignal): Promise<number> {
  let crc = 0;
  for (let at = 0; at < contents.size; at += chunk) {
    signal?.throwIfAborted();
    crc = crc32(new Uint8Array(await contents.slice(at, at + chunk).arrayBuffer()), crc);
  }
  return crc;
}
