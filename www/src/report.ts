/** Sees what the page, a worker or the service worker asks of the network, and what the policy stops. */

import type { Actor, SeenRequest, Violation } from "./api";

/** Calls the listener with what happens from now on and with what the browser has noted so far. */
export function watchTraffic(from: Actor, listener: (requests: SeenRequest[], violations: Violation[]) => void): void {
  new PerformanceObserver((list) => {
    const requests = (list.getEntries() as PerformanceResourceTiming[]).filter(isRequest);
    if (requests.length > 0) {
      listener(
        requests.map((entry) => seenRequest(entry, from)),
        [],
      );
    }
  }).observe({ type: "resource", buffered: true });
  const isAgain = repetitions();
  addEventListener("securitypolicyviolation", (event) => {
    if (!isAgain(event as SecurityPolicyViolationEvent)) {
      listener([], [violation(event as SecurityPolicyViolationEvent, from)]);
    }
  });
}

/**
 * Returns a test for reports about what another policy has reported already: a
 * page has the policy of its headers and those of its meta elements, and each
 * reports what it stops.
 */
function repetitions(): (event: SecurityPolicyViolationEvent) => boolean {
  const attempts = new Map<string, number>(); // by what was stopped: the most that one policy has reported
  const reports = new Map<string, number>(); // the same, by policy
  return ({ effectiveDirective, blockedURI, sample, originalPolicy }) => {
    const what = JSON.stringify([effectiveDirective, blockedURI, sample]);
    const which = what + originalPolicy;
    const n = (reports.get(which) ?? 0) + 1;
    reports.set(which, n);
    const isNew = n > (attempts.get(what) ?? 0);
    if (isNew) {
      attempts.set(what, n);
    }
    return !isNew;
  };
}

export function violation(event: SecurityPolicyViolationEvent, from: Actor): Violation {
  return { directive: event.effectiveDirective, blocked: event.blockedURI || event.sample || "inline", from };
}

/** Addresses of what is in memory already are no requests. */
function isRequest(entry: PerformanceEntry): boolean {
  return !/^(blob|data|about):/.test(entry.name);
}

/**
 * What an entry says. A request that the service worker took did not leave for
 * the network: that reports its own. Not every browser says that it did, but
 * then, as from the browser's cache, no bytes were moved. Of other sites the
 * size is not told, so their answers count as moved.
 */
export function seenRequest(entry: PerformanceResourceTiming, from: Actor): SeenRequest {
  const { name, transferSize, decodedBodySize, workerStart } = entry;
  const responseStatus = entry.responseStatus as number | undefined; // Safari does not tell
  const own = new URL(name).origin === location.origin;
  const answered = (responseStatus ?? (own ? 200 : 0)) > 0 || transferSize > 0 || decodedBodySize > 0;
  return { url: name, from, network: workerStart === 0 && !(own && answered && transferSize === 0), answered };
}
