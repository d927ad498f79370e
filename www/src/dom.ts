/** Small helpers for building elements; text is always text, never markup. */

export type Child = Node | string;

/** Makes an element with properties, attributes (names with a dash) and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> & { [attribute: `${string}-${string}`]: string } = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) {
      element.setAttribute(name, String(value));
    } else {
      Object.assign(element, { [name]: value });
    }
  }
  element.append(...children);
  return element;
}

/** Makes a button; one that shows nothing but a sign has a title, which is its name too. */
export function button(
  properties: Partial<HTMLButtonElement> & { [attribute: `${string}-${string}`]: string },
  ...children: Child[]
): HTMLButtonElement {
  const named = properties.title && children.every((c) => typeof c !== "string" || c.length === 1) ? { "aria-label": properties.title } : {};
  return make("button", { type: "button", ...named, ...properties }, ...children);
}

/** Offers a file to save. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Runs f at most once in every interval of so many milliseconds, the last call always. */
export function throttle(f: () => void, interval: number): () => void {
  let timer = 0;
  let last = -Infinity;
  return () => {
    if (timer) {
      return;
    }
    const wait = Math.max(0, last + interval - performance.now());
    timer = window.setTimeout(() => {
      timer = 0;
      last = performance.now();
      f();
    }, wait);
  };
}
