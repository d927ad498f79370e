/**
 * Which of the engine's two modules this browser gets. Both give the same
 * answers; the relaxed one is faster and needs relaxed SIMD, of which
 * browsers exist that compute it wrongly.
 */

import { WrongFile, type SiteFiles } from "./files";

/**
 * (module
 *   (memory (export "memory") 1)
 *   (func (export "dot")
 *     i32.const 48  i32.const 0 v128.load  i32.const 0 v128.load offset=16  i32.const 0 v128.load offset=32
 *     i32x4.relaxed_dot_i8x16_i7x16_add_s  v128.store))
 */
// prettier-ignore
const probe = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x04, 0x01, 0x60, 0x00, 0x00, // types
  0x03, 0x02, 0x01, 0x00, // functions
  0x05, 0x03, 0x01, 0x00, 0x01, // memory
  0x07, 0x10, 0x02, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x03, 0x64, 0x6f, 0x74, 0x00, 0x00, // exports
  0x0a, 0x1f, 0x01, 0x1d, 0x00, // code
  0x41, 0x30, 0x41, 0x00, 0xfd, 0x00, 0x04, 0x00, 0x41, 0x00, 0xfd, 0x00, 0x04, 0x10, 0x41, 0x00, 0xfd, 0x00, 0x04, 0x20,
  0xfd, 0x93, 0x02, 0xfd, 0x0b, 0x04, 0x00, 0x0b,
]);

/** Operands of the dot product, -127..127 and 0..127 as the engine has them: the ends, signs, and lanes that must not be exchanged. */
const weights: ((i: number) => number)[] = [
  () => 127,
  () => -127,
  (i) => (i % 2 ? 127 : -127),
  (i) => 16 * i - 127,
  (i) => ((i * i * 37 + 11 * i) % 255) - 127,
];
const activations: ((i: number) => number)[] = [() => 127, () => 0, () => 1, (i) => 127 - 8 * i, (i) => (i * i * 53 + 7 * i) % 128];
const sums = [0, 1, -1, 2_000_000_000, -2_000_000_000];

/** Reports whether this browser has relaxed SIMD and computes the engine's product exactly. */
export function relaxedIsExact(): boolean {
  try {
    return WebAssembly.validate(probe) && selfTest();
  } catch {
    return false;
  }
}

function selfTest(): boolean {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(probe));
  const { buffer } = exports["memory"] as WebAssembly.Memory;
  const dot = exports["dot"] as () => void;
  const bytes = new Int8Array(buffer, 0, 32);
  const sum = new Int32Array(buffer, 32, 4);
  const result = new Int32Array(buffer, 48, 4);
  for (const w of weights) {
    for (const a of activations) {
      for (const s of sums) {
        for (let i = 0; i < 16; i++) {
          bytes[i] = w(i);
          bytes[16 + i] = a(i);
        }
        sum.fill(s);
        dot();
        for (let lane = 0; lane < 4; lane++) {
          let want = s;
          for (let i = 4 * lane; i < 4 * lane + 4; i++) {
            want += w(i) * a(i);
          }
          if (result[lane] !== want) {
            return false;
          }
        }
      }
    }
  }
  return true;
}

/** Returns the two modules, or what stands for them, the one for this browser first. */
export function inOrder<T>(strict: T, relaxed: T): [T, T] {
  return relaxedIsExact() ? [relaxed, strict] : [strict, relaxed];
}

/**
 * Compiles the module for this browser. Where it cannot be had, the other one
 * serves: offline, the browser may be another version than the one that
 * installed the site.
 */
export async function compileModule(files: SiteFiles): Promise<WebAssembly.Module> {
  const { module, relaxed } = files.site;
  const [best, other] = inOrder(module, relaxed);
  try {
    return await WebAssembly.compileStreaming(files.open(best));
  } catch (e) {
    if (e instanceof WrongFile) {
      throw e;
    }
    return WebAssembly.compileStreaming(files.open(other)).catch(() => {
      throw e;
    });
  }
}
