/** What the page says: one visible message at a time, and lines for screen readers. */

import { button, make } from "../dom";
import * as strings from "../strings";
import { icon } from "./icons";

const spokenLines = 5; // kept
const noticeTime = 10_000; // milliseconds that a notice without an action stays

export interface Action {
  name: string;
  run(): void;
}

export class Messages {
  /** The visible message. */
  readonly element = make("div", { id: "message", hidden: true });
  /** What only screen readers get; new lines are read out. */
  readonly spoken = make("div", { id: "live", className: "unseen", "aria-live": "polite" });

  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Tells something that is good to know; with an action it stays until it is closed. */
  tell(text: string, action?: Action): void {
    this.show("notice", text, action);
    if (!action) {
      this.timer = setTimeout(() => this.clear(), noticeTime);
    }
  }

  /** Tells that something went wrong. */
  problem(text: string, action?: Action): void {
    this.show("problem", text, action);
  }

  /** Adds a line for screen readers. */
  say(text: string): void {
    this.spoken.append(make("p", {}, text));
    while (this.spoken.childElementCount > spokenLines) {
      this.spoken.firstElementChild?.remove();
    }
  }

  clear(): void {
    this.element.hidden = true;
  }

  private show(kind: "notice" | "problem", text: string, action?: Action): void {
    clearTimeout(this.timer);
    this.element.dataset["kind"] = kind;
    this.element.replaceChildren(
      make("p", { role: kind === "problem" ? "alert" : "status" }, text),
      ...(action ? [button({ onclick: () => (this.clear(), action.run()) }, action.name)] : []),
      button({ className: "bare", title: strings.common.close, onclick: () => this.clear() }, icon("close")),
    );
    this.element.hidden = false;
  }
}
