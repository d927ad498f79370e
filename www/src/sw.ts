/**
 * The service worker: it keeps the whole site on this device, of the two
 * modules the one that this browser uses, and answers
 * every request from there. Once it is installed nothing is asked of the
 * network, except for a file that the browser has dropped from the cache; the
 * browser's own check of this script comes on top.
 */

import type { SeenRequest, Violation } from "./api";
import { cacheKey, cacheName, cachePrefix, keepingLock, type SiteFile } from "./assets";
import { hex } from "./hex";
import { inOrder } from "./module";
import { violation } from "./report";

declare const self: ServiceWorkerGlobalScope;

// www/site defines these three.
declare const SITE_VERSION: string;
declare const SITE_FILES: SiteFile[];
declare const SITE_HEADERS: Record<string, string>;

const { scope } = self.registration;
const ownCache = cacheName(scope, SITE_VERSION);
const traffic = new BroadcastChannel("ecor-traffic");
const [, otherModule] = inOrder("ecor.wasm", "ecor-relaxed.wasm");
const needed = SITE_FILES.filter((f) => f.path !== otherModule);
const files = new Map(needed.map((f) => [f.path, f]));
const total = needed.reduce((sum, f) => sum + f.size, 0);

self.addEventListener("install", (event) => event.waitUntil(navigator.locks.request(keepingLock(scope), install)));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => event.data === "claim" && event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => event.respondWith(answer(event.request)));
self.addEventListener("securitypolicyviolation", (event) => report([], [violation(event as SecurityPolicyViolationEvent, "service worker")]));

/** Tells open pages what was asked of the network, and what the policy stopped. */
function report(requests: SeenRequest[], violations: Violation[]): void {
  traffic.postMessage({ requests, violations });
}

/** Fills this version's cache; files that are kept already, by an older version or by the first visit's worker, are taken from there. */
async function install(): Promise<void> {
  const cache = await caches.open(ownCache);
  const channel = new BroadcastChannel("ecor-install");
  let done = 0;
  for (const file of files.values()) {
    const before = done;
    const kept = await keptFile(file);
    await cache.put(
      cacheKey(file, scope),
      kept ??
        (await download(file, (n) => {
          channel.postMessage({ done: before + n, total });
        })),
    );
    done = before + file.size;
    channel.postMessage({ done, total });
  }
  channel.close();
}

/** Drops the caches of other versions and takes over open pages. */
async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(cachePrefix(scope)) && name !== ownCache) {
      await caches.delete(name);
    }
  }
  await self.clients.claim();
}

/** Returns a file that is kept under its hash and has it. */
async function keptFile(file: SiteFile): Promise<Response | undefined> {
  const kept = await caches.match(cacheKey(file, scope));
  const bytes = kept && new Uint8Array(await kept.arrayBuffer());
  return bytes && (await sha256(bytes)) === file.sha256 ? respond(bytes, file) : undefined;
}

/** Fetches a file and checks that it is the one this version was built with. */
async function download(file: SiteFile, onProgress: (bytes: number) => void): Promise<Response> {
  const url = new URL(file.path, scope).href;
  report([{ url, from: "service worker", network: true, answered: true }], []);
  const response = await fetch(url, { cache: "no-cache" });
  if (!response.ok || !response.body) {
    throw new Error(`${file.path}: the server answered ${response.status}`);
  }
  const bytes = new Uint8Array(file.size);
  const reader = response.body.getReader();
  let n = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    if (n + value.length > file.size) {
      throw new Error(`${file.path} is longer than ${file.size} bytes`);
    }
    bytes.set(value, n);
    n += value.length;
    onProgress(n);
  }
  if ((await sha256(bytes)) !== file.sha256) {
    throw new Error(`${file.path} is not the file of version ${SITE_VERSION}`);
  }
  return respond(bytes, file);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function respond(body: BodyInit, file: SiteFile): Response {
  return new Response(body, {
    headers: { ...SITE_HEADERS, "Content-Type": file.type, "Content-Length": String(file.size) },
  });
}

/** Answers from the cache. Other origins and unknown paths are refused without asking anybody. */
async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  url.search = url.hash = "";
  if (!url.href.startsWith(scope)) {
    return Response.error();
  }
  const file = files.get(url.href.slice(scope.length) || "index.html");
  if (!file || request.method !== "GET") {
    return new Response("not part of this site", { status: 404, headers: SITE_HEADERS });
  }
  const cache = await caches.open(ownCache);
  const kept = await cache.match(cacheKey(file, scope));
  if (kept) {
    return kept;
  }
  const fresh = await download(file, () => {});
  await cache.put(cacheKey(file, scope), fresh.clone());
  return fresh;
}
