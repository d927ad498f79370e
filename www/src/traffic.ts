/** Keeps count of what was asked of any network since the page was loaded. */

import type { Actor, SeenRequest, Traffic, Violation } from "./api";
import { seenRequest, watchTraffic } from "./report";

const most = 500; // entries of each kind that are kept

const counts = { network: 0, device: 0, foreign: 0 };
let requests: readonly SeenRequest[] = [];
let violations: readonly Violation[] = [];
const listeners = new Set<() => void>();

/** What the policy stopped; browsers list it among the requests all the same. */
const stoppedAddresses = new Set<string>();

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
  for (const violation of stopped) {
    const address = addressOf(violation.from, violation.blocked);
    if (!stoppedAddresses.has(address)) {
      stoppedAddresses.add(address);
      // The violation can be told after the request.
      requests.filter(isStopped).forEach((r) => count(r, -1));
      requests = requests.filter((r) => !isStopped(r));
    }
  }
  const made = seen.filter((r) => !isStopped(r));
  made.forEach((r) => count(r, 1));
  requests = [...requests, ...made].slice(-most);
  violations = [...violations, ...stopped].slice(-most);
  listeners.forEach((listener) => listener());
}

function isStopped({ from, url, answered }: SeenRequest): boolean {
  // Of a frame's address the report tells the origin alone.
  return !answered && (stoppedAddresses.has(addressOf(from, url)) || stoppedAddresses.has(addressOf(from, new URL(url).origin)));
}

function addressOf(from: Actor, url: string): string {
  return `${from} ${url}`;
}

function count({ url, network }: SeenRequest, by: 1 | -1): void {
  counts[network ? "network" : "device"] += by;
  if (network && new URL(url).origin !== location.origin) {
    counts.foreign += by;
  }
}

/** Begins to watch the page and the service worker. */
function begin(): void {
  const page = performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming | undefined;
  if (page) {
    note([seenRequest(page, "page")], []);
  }
  watchTraffic("page", note);
  new BroadcastChannel("ecor-traffic").onmessage = (event: MessageEvent<{ requests: SeenRequest[]; violations: Violation[] }>) => {
    note(event.data.requests, event.data.violations);
  };
}

begin();
