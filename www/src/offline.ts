/** Keeps the page on this device by means of the service worker. */

import "./guard";
import { scriptURL } from "./trusted";

export type OfflineState = "ready" | "update" | "bypassed" | "unavailable";

const claimTime = 3000; // milliseconds in which the service worker answers requests of a page that it did not serve

/**
 * Registers the service worker and waits until it has everything and answers
 * this page's requests; from then on the page may connect to nothing any more.
 * Resolves also where it cannot be used. On a first visit it is called after
 * the model is loaded: what was fetched for that is not fetched again.
 */
export async function keepOffline(
  onInstall: (done: number, total: number) => void,
  onState: (state: OfflineState) => void,
): Promise<void> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!container) {
    return onState("unavailable");
  }
  const channel = new BroadcastChannel("ecor-install");
  channel.onmessage = (event: MessageEvent<{ done: number; total: number }>) => {
    onInstall(event.data.done, event.data.total);
  };
  try {
    const registration = await container.register(scriptURL("sw.js", document.baseURI), { updateViaCache: "none" });
    const first = registration.active ? null : (registration.installing ?? registration.waiting);
    if (first) {
      await activated(first);
      await controlled(container);
    } else if (!container.controller) {
      // A forced reload asks the server for everything.
      registration.active?.postMessage("claim");
      await Promise.race([controlled(container), new Promise((resolve) => setTimeout(resolve, claimTime))]);
      if (!container.controller) {
        return onState("bypassed");
      }
    }
    connectToNothing();
    onState(registration.waiting ? "update" : "ready");
    registration.onupdatefound = () => {
      const next = registration.installing;
      next?.addEventListener("statechange", () => {
        if (next.state === "installed" && container.controller) {
          onState("update");
        }
      });
    };
  } catch {
    onState("unavailable");
  } finally {
    channel.close();
  }
}

/** Adds the policy that pages have when the service worker serves them to one that the server did. */
function connectToNothing(): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = "connect-src 'none'";
  document.head.append(meta);
}

function activated(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") {
        resolve();
      } else if (worker.state === "redundant") {
        reject(new Error("the service worker could not be installed"));
      }
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

function controlled(container: ServiceWorkerContainer): Promise<void> {
  return new Promise((resolve) => {
    if (container.controller) {
      return resolve();
    }
    container.addEventListener("controllerchange", () => resolve(), { once: true });
  });
}
