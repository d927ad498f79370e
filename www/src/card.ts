/** One photo on the page: thumbnail, answer, details. */

import { make } from "./dom";
import type { Classified, Photo, Timings } from "./api";
import * as strings from "./strings";
import type { Answer, CategoryScore } from "./wire";

const sentenceReasons = 2;
const sure = 0.5; // probability from which the answer is given without "perhaps"

export class Card {
  readonly element: HTMLLIElement;
  private readonly picture = make("div", { className: "picture" });
  private readonly body = make("div", { className: "body", "aria-busy": "true" });
  private readonly status = make("p", { className: "status" });
  private url = "";
  private details: HTMLDetailsElement | undefined;

  constructor(
    readonly name: string,
    onRemove: () => void,
  ) {
    const remove = make("button", { type: "button", className: "remove", title: strings.photo.remove(name), "aria-label": strings.photo.remove(name), onclick: onRemove }, "×");
    this.element = make("li", { className: "card" }, this.picture, this.body, remove);
    this.showBusy(strings.photo.waiting);
  }

  showPhoto({ width, height, thumbnail }: Photo): void {
    this.dropPhoto();
    this.url = URL.createObjectURL(thumbnail!);
    const size = `${width} × ${height}`;
    this.picture.replaceChildren(make("img", { src: this.url, alt: strings.photo.alt(this.name), title: size, decoding: "async" }));
  }

  /** Gives back the thumbnail's memory. */
  dropPhoto(): void {
    if (this.url) {
      URL.revokeObjectURL(this.url);
    }
  }

  /** Says what is going on; an answer that is there already stays, dimmed. */
  showBusy(text: string): void {
    this.body.setAttribute("aria-busy", "true");
    this.element.dataset["state"] = "busy";
    this.status.textContent = text;
    if (this.status.parentElement !== this.body) {
      if (this.body.childElementCount === 0) {
        this.body.append(this.fileName());
      }
      this.body.append(this.status);
    }
  }

  showError(reason: string, onRetry?: () => void): void {
    this.settle("error");
    this.details?.remove();
    this.details = undefined;
    this.body.replaceChildren(this.fileName(), make("p", { className: "error" }, reason));
    if (onRetry) {
      this.body.append(make("button", { type: "button", className: "quiet", onclick: onRetry }, strings.photo.retry));
    }
  }

  showAnswer(result: Classified): void {
    this.settle("answer");
    const { answer } = result;
    const best = answer.categories[0];
    if (!best) {
      return this.showError("The answer has no category.");
    }
    const share = best.probability / weighed(answer);
    const open = this.details?.open ?? false;
    this.details?.remove();
    this.details = make("details", { open }, make("summary", {}, strings.photo.details), this.explain(result));
    this.element.append(this.details);
    this.body.replaceChildren(
      make(
        "p",
        { className: "answer" },
        make("span", { className: "category" }, (share < sure ? strings.photo.unsure : "") + best.category),
        make("span", { className: "probability" }, strings.percent(share)),
      ),
      make("p", { className: "because" }, sentence(result)),
      this.fileName(),
    );
  }

  private settle(state: string): void {
    this.element.dataset["state"] = state;
    this.body.setAttribute("aria-busy", "false");
    this.status.remove();
  }

  private fileName(): HTMLElement {
    return make("p", { className: "file" }, this.name);
  }

  private explain({ answer, timings }: Classified): HTMLElement {
    const best = answer.categories[0]!;
    const whole = weighed(answer);
    const parts: HTMLElement[] = [
      make("h4", {}, strings.photo.categories),
      bars(answer.categories.map((c) => [c.category, c.probability / whole])),
    ];
    if (answer.method !== "clip") {
      parts.push(
        make("h4", {}, strings.photo.reasons(best.category)),
        bars(best.rationales.map((r) => [r.rationale, r.joint / whole])),
        make("p", { className: "hint" }, strings.photo.reasonsHint),
        make("p", { className: "hint" }, answer.kept > 0 ? strings.photo.covered(answer.kept, answer.uncovered) : strings.photo.coveredAll),
      );
    }
    parts.push(timingList(timings));
    return make("div", { className: "explain" }, ...parts);
  }
}

/**
 * The part of the probability that an answer hands out. ECOR's values leave out
 * the mass of the reasons that were not looked at; the page shows shares of the
 * part that was, and says how large it is.
 */
function weighed(answer: Answer): number {
  return answer.method === "ecor" ? Math.max(1 - answer.uncovered, 1e-6) : 1;
}

/** The answer's reasons in one sentence. */
function sentence({ answer }: Classified): string {
  if (answer.method === "clip") {
    return strings.photo.noReasons;
  }
  return strings.because(reasonsOf(answer.categories[0]!));
}

function reasonsOf(c: CategoryScore): string[] {
  return c.rationales.slice(0, sentenceReasons).map((r) => r.rationale);
}

/** What a screen reader says about a finished photo. */
export function announcement(name: string, { answer }: Classified): string {
  const best = answer.categories[0]!;
  const reasons = answer.method === "clip" ? "" : strings.because(reasonsOf(best));
  return strings.photo.announce(name, best.category, best.probability / weighed(answer), reasons);
}

/** Shows probabilities, largest first; the bars compare them with the first. */
function bars(rows: [string, number][]): HTMLElement {
  const longest = rows[0]?.[1] || 1;
  const list = make("dl", { className: "bars" });
  for (const [label, p] of rows) {
    const bar = make("span", { className: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--part", String(p / longest));
    list.append(make("div", {}, make("dt", {}, label), make("dd", {}, bar, strings.percent(p))));
  }
  return list;
}

function timingList(timings: Timings): HTMLElement {
  const steps = Object.entries(strings.photo.timings)
    .map(([key, name]) => ({ name, ms: timings[key as keyof Timings] }))
    .filter(({ ms }) => ms > 0)
    .map(({ name, ms }) => `${name} ${strings.milliseconds(ms)}`);
  return make("p", { className: "timings" }, steps.join(" · "));
}
