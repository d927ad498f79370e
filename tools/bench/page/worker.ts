/** The page's worker, and how much memory its module has. */

import "../../../www/src/worker";

declare const self: DedicatedWorkerGlobalScope;

let memory: WebAssembly.Memory;
const instantiate = WebAssembly.instantiate as (module: WebAssembly.Module, imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance>;
WebAssembly.instantiate = (async (module: WebAssembly.Module, imports?: WebAssembly.Imports) => {
  const instance = await instantiate(module, imports);
  memory = instance.exports["memory"] as WebAssembly.Memory;
  return instance;
}) as typeof WebAssembly.instantiate;

const answer = (event: MessageEvent) => {
  if (event.data === "memory") {
    event.stopImmediatePropagation(); // not for the page's own code
    event.ports[0]?.postMessage(memory.buffer.byteLength);
  }
};
self.addEventListener("message", answer, { capture: true });
