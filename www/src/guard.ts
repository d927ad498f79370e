/**
 * Closes ways out of a page that no Content-Security-Policy covers, for
 * scripts that run in this page: connections between browsers, windows of
 * other sites, and leaving for another site. docs/privacy.md says how far
 * that goes. A person's own address bar and links that open a new tab still work.
 */

import { note } from "./traffic";

interface NavigateEvent extends Event {
  readonly destination: { readonly url: string };
}

/** Replaces a property of the page for good. */
function fix(name: string, value: unknown): void {
  if (name in globalThis) {
    Object.defineProperty(globalThis, name, { value, configurable: false, writable: false });
  }
}

function refuse(way: string, url: string): void {
  note([], [{ directive: way, blocked: url, from: "page" }]);
}

function isElsewhere(url: string): boolean {
  return new URL(url, document.baseURI).origin !== location.origin;
}

for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel", "WebTransport"]) {
  fix(name, undefined);
}

fix("open", (url = "") => {
  refuse("window.open", String(url));
  return null;
});

(globalThis as { navigation?: EventTarget }).navigation?.addEventListener("navigate", (event) => {
  const { url } = (event as NavigateEvent).destination;
  if (event.cancelable && isElsewhere(url)) {
    event.preventDefault();
    refuse("navigate", url);
  }
});
