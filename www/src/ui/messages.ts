/** What the page says: a line of news, lines about what went wrong, and lines for screen readers. */

import { button, make } from "../dom";
import * as strings from "../strings";
import { icon } from "./icons";

const spokenLines = 5; // kept
const noticeTime = 10_000; // milliseconds that news without an action stays
const mostProblems = 3; // shown

export interface Action {
  name: string;
  run(): void;
}

export class Messages {
  /** The visible lines. */
  readonly element = make("div", { id: "message" });
  /** What only screen readers get; new lines are read out. */
  readonly spoken = make("div", { id: "live", className: "unseen", "aria-live": "polite" });
  private news: HTMLElement | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onLeft is called where somebody has closed a line, which takes the focus with it */
  constructor(private readonly onLeft: () => void) {}

  /** Tells news, which take the place of those before; with an action they stay until they are closed. */
  tell(text: string, action?: Action): void {
    this.clear();
    this.news = this.show("news", text, action);
    if (!action) {
      this.timer = setTimeout(() => this.clear(), noticeTime);
    }
  }

  /** Tells that something went wrong; it stays until it is closed. */
  problem(text: string, action?: Action): void {
    const lines = [...this.element.querySelectorAll<HTMLElement>("[data-kind=problem]")];
    lines.filter((line, i) => line.dataset["text"] === text || i <= lines.length - mostProblems).forEach((line) => line.remove());
    this.show("problem", text, action);
  }

  /** Asks something that has to be answered: it stays until the function that is returned is called. */
  ask(text: string, actions: readonly Action[]): () => void {
    const line = make(
      "div",
      { className: "message", "data-kind": "question" },
      make("p", { role: "alert" }, text),
      ...actions.map(({ name, run }) => button({ onclick: run }, name)),
    );
    this.element.append(line);
    return () => line.remove();
  }

  /** Adds a line for screen readers. */
  say(text: string): void {
    this.spoken.append(make("p", {}, text));
    while (this.spoken.childElementCount > spokenLines) {
      this.spoken.firstElementChild?.remove();
    }
  }

  /** Takes the news away. */
  clear(): void {
    clearTimeout(this.timer);
    this.news?.remove();
    this.news = undefined;
  }

  private show(kind: "news" | "problem", text: string, action?: Action): HTMLElement {
    const close = () => {
      line.remove();
      this.onLeft();
    };
    const line = make(
      "div",
      { className: "message", "data-kind": kind, "data-text": text },
      make("p", { role: kind === "problem" ? "alert" : "status" }, text),
      ...(action ? [button({ onclick: () => (close(), action.run()) }, action.name)] : []),
      button({ className: "bare", title: strings.common.close, onclick: close }, icon("close")),
    );
    this.element.append(line);
    return line;
  }
}
