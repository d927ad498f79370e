/** The one Trusted Types policy: the only scripts that are started are ecor's own two, from the page's origin. */

interface Policy {
  createScriptURL(url: string): unknown;
}

const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): Policy } }).trustedTypes;
let policy: Policy | undefined;

function check(url: string): string {
  const { origin, pathname } = new URL(url);
  if (origin !== location.origin || !/\/(worker|sw)\.js$/.test(pathname)) {
    throw new TypeError(`${url} is not a script of ecor on ${location.origin}`);
  }
  return url;
}

/** Returns the URL of worker.js or sw.js in the folder base, in the form that the browser asks for. */
export function scriptURL(name: "worker.js" | "sw.js", base: string): string {
  const url = new URL(name, base).href;
  policy ??= types?.createPolicy("ecor", { createScriptURL: check });
  return (policy ? policy.createScriptURL(url) : check(url)) as string;
}
