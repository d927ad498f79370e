/**
 * The ten WASI functions that the module imports. None of them opens anything:
 * the module can read clocks and random bytes and print to the console.
 */

const success = 0;
const badDescriptor = 8;
const fault = 21;

/**
 * The module's environment: garbage is collected when the heap has grown by
 * half of what is in use. The memory never shrinks, and weights and caches,
 * which are most of it, hold no pointers that a collection follows.
 */
const environment = new TextEncoder().encode("GOGC=50\0");

/** Thrown where the module ends itself, as Go does after a fatal error. */
export class ModuleExit extends Error {
  constructor(readonly code: number) {
    super(`the module ended with code ${code}`);
  }
}

export interface WASI {
  imports: WebAssembly.ModuleImports;
  /** Text that the module printed last, for error messages. */
  printed(): string;
}

/** Returns the imports, working on the memory that memory() returns. */
export function wasi(memory: () => WebAssembly.Memory): WASI {
  const view = () => new DataView(memory().buffer);
  const bytes = (at: number, n: number) => new Uint8Array(memory().buffer, at, n);
  const decoder = new TextDecoder();
  let printed = "";

  const imports = {
    sched_yield: () => success,
    proc_exit: (code: number) => {
      throw new ModuleExit(code);
    },
    args_get: () => success,
    args_sizes_get: (count: number, size: number) => sizes(count, size, 0, 0),
    environ_get: (pointers: number, text: number) => {
      view().setUint32(pointers, text, true);
      bytes(text, environment.length).set(environment);
      return success;
    },
    environ_sizes_get: (count: number, size: number) => sizes(count, size, 1, environment.length),

    clock_time_get: (clock: number, _precision: bigint, out: number) => {
      const ms = clock === 0 ? performance.timeOrigin + performance.now() : performance.now();
      view().setBigUint64(out, BigInt(Math.round(ms * 1e6)), true);
      return success;
    },

    fd_write: (fd: number, vectors: number, count: number, out: number) => {
      if (fd !== 1 && fd !== 2) {
        return badDescriptor;
      }
      let written = 0;
      for (let i = 0; i < count; i++) {
        const at = view().getUint32(vectors + 8 * i, true);
        const n = view().getUint32(vectors + 8 * i + 4, true);
        printed = (printed + decoder.decode(bytes(at, n))).slice(-4096);
        written += n;
      }
      view().setUint32(out, written, true);
      return success;
    },

    random_get: (at: number, n: number) => {
      for (let done = 0; done < n; done += 65536) {
        crypto.getRandomValues(bytes(at + done, Math.min(65536, n - done)));
      }
      return success;
    },

    // Go waits this way for a timer while nothing else can run; the worker may
    // not block, so every wait ends at once and Go looks at its clock again.
    poll_oneoff: (subscriptions: number, events: number, count: number, out: number) => {
      if (count === 0) {
        return fault;
      }
      bytes(events, 32 * count).fill(0);
      for (let i = 0; i < count; i++) {
        bytes(events + 32 * i, 8).set(bytes(subscriptions + 48 * i, 8)); // user data
        view().setUint8(events + 32 * i + 10, view().getUint8(subscriptions + 48 * i + 8)); // kind
      }
      view().setUint32(out, count, true);
      return success;
    },
  };

  function sizes(countAt: number, sizeAt: number, count: number, size: number): number {
    view().setUint32(countAt, count, true);
    view().setUint32(sizeAt, size, true);
    return success;
  }

  return { imports, printed: () => printed };
}
