/** The page's worker, and how much memory its module has. */

import "../../../www/src/worker";

declare const self: DedicatedWorkerGlobalScope;

let memory: WebAssembly.Memory;
const instantiate = WebAssembly.instantiateStreaming;
WebAssembly.instantiateStreaming = async (source, imports) => {
  const started = await instantiate(source, imports);
  memory = started.instance.exports["memory"] as WebAssembly.Memory;
  return started;
};

self.addEventListener("message", (event) => {
  if (event.data.type === "memory") {
    event.ports[0]?.postMessage(memory.buffer.byteLength);
  }
});
