/** Sees what the page, a worker or the service worker asks of the network, and what the policy stops. */

import type { Actor, SeenRequest, Violation } from "./api";

/** Calls the listener with what happens from now on and with what the browser has noted so far. */
export function watchTraffic(from: Actor, listener: (requests: SeenRequest[], violations: Violation[]) => void): void {
  new PerformanceObserver((list) => {
    const requests = (list.getEntries() as PerformanceResourceTiming[]).filter(isRequest);
    if (requests.length > 0) {
      listener(
        requests.map((entry) => ({ url: entry.name, from, network: reachedNetwork(entry) })),
        [],
      );
    }
  }).observe({ type: "resource", buffered: true });
  addEventListener("securitypolicyviolation", (event) => {
    listener([], [violation(event as SecurityPolicyViolationEvent, from)]);
  });
}

export function violation(event: SecurityPolicyViolationEvent, from: Actor): Violation {
  return { directive: event.effectiveDirective, blocked: event.blockedURI || event.sample || "inline", from };
}

/** Addresses of what is in memory already are no requests. */
function isRequest(entry: PerformanceEntry): boolean {
  return !/^(blob|data|about):/.test(entry.name);
}

/**
 * Whether a request left for the network. One that the service worker took did
 * not: that reports its own requests. One that the browser's cache answered moved no bytes.
 */
export function reachedNetwork(entry: PerformanceResourceTiming): boolean {
  const fromCache = entry.transferSize === 0 && entry.decodedBodySize > 0;
  return entry.workerStart === 0 && !fromCache;
}
