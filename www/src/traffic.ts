/** Keeps count of what was asked of any network since the page was loaded. */

import type { SeenRequest, Traffic, Violation } from "./api";
import { reachedNetwork, watchTraffic } from "./report";

const most = 500; // entries of each kind that are kept

const counts = { network: 0, device: 0, foreign: 0 };
let requests: readonly SeenRequest[] = [];
let violations: readonly Violation[] = [];
const listeners = new Set<() => void>();

/** See api.ts. */
export function requestsSinceLoad(): Traffic {
  return { ...counts, requests, violations };
}

/** See api.ts. */
export function onTraffic(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Adds what the page, a worker or the service worker saw. */
export function note(seen: readonly SeenRequest[], stopped: readonly Violation[]): void {
  for (const { url, network } of seen) {
    counts[network ? "network" : "device"]++;
    if (network && new URL(url).origin !== location.origin) {
      counts.foreign++;
    }
  }
  requests = [...requests, ...seen].slice(-most);
  violations = [...violations, ...stopped].slice(-most);
  listeners.forEach((listener) => listener());
}

/** Begins to watch the page and the service worker. */
function begin(): void {
  const page = performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming | undefined;
  if (page) {
    note([{ url: page.name, from: "page", network: reachedNetwork(page) }], []);
  }
  watchTraffic("page", note);
  new BroadcastChannel("ecor-traffic").onmessage = (event: MessageEvent<{ requests: SeenRequest[]; violations: Violation[] }>) => {
    note(event.data.requests, event.data.violations);
  };
}

begin();
