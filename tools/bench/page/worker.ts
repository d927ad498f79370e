/** The page's worker, and two questions to its module: how much memory it has, and how long texts take that are encoded alone. */

import { Engine } from "../../../www/src/engine";
import "../../../www/src/worker";

declare const self: DedicatedWorkerGlobalScope;

let memory: WebAssembly.Memory;
const instantiate = WebAssembly.instantiate as (module: WebAssembly.Module, imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance>;
WebAssembly.instantiate = (async (module: WebAssembly.Module, imports?: WebAssembly.Imports) => {
  const instance = await instantiate(module, imports);
  memory = instance.exports["memory"] as WebAssembly.Memory;
  return instance;
}) as typeof WebAssembly.instantiate;

let engine: Engine;
const start = Engine.start;
Engine.start = async (module) => (engine = await start(module));

/** Milliseconds that texts take one after another. */
async function alone(texts: readonly string[]): Promise<number> {
  const begun = performance.now();
  for (const text of texts) {
    await engine.embedTexts([text]);
  }
  return performance.now() - begun;
}

const answer = (event: MessageEvent<unknown>) => {
  const [port] = event.ports;
  if (!port) {
    return;
  }
  event.stopImmediatePropagation(); // not for the page's own code
  if (event.data === "memory") {
    port.postMessage(memory.buffer.byteLength);
  } else {
    void alone(event.data as string[]).then((ms) => port.postMessage(ms));
  }
};
self.addEventListener("message", answer, { capture: true });
