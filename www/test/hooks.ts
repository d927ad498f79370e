/** What the tests reach from outside: the codec and the engine without a page around them. */

import { Engine } from "../src/engine";
import * as wire from "../src/wire";

function fromBase64(s: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
}

let engine: Engine;

Object.assign(globalThis, {
  hooks: { wire, fromBase64, toBase64, start },
});

async function start(module: string) {
  engine = await Engine.start(fetch(module));
  return engine;
}
