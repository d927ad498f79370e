/** How far the work is, and the buttons to pause and end it. */

import { button, make } from "../dom";
import * as strings from "../strings";
import { icon } from "./icons";
import type { Progress } from "./runner";

export interface QueueEvents {
  onPause(pause: boolean): void;
  onCancel(): void;
}

export class Queue {
  readonly element: HTMLElement;
  private readonly bar = make("progress", { max: 1, "aria-label": strings.queue.label });
  private readonly text = make("span", { id: "queue-text" });
  private readonly pause = button({ id: "pause", className: "quiet", onclick: () => this.events.onPause(!this.paused) });
  private readonly cancel = button({ id: "cancel", className: "quiet", onclick: () => this.events.onCancel() }, icon("close"), strings.queue.cancel);
  private paused: boolean | undefined;

  constructor(private readonly events: QueueEvents) {
    this.element = make("section", { id: "queue", hidden: true, "aria-label": strings.queue.label }, this.bar, this.text, make("div", { className: "row" }, this.pause, this.cancel));
  }

  /** Shows how far the work is; undefined hides it. */
  show(progress: Progress | undefined): void {
    this.element.hidden = progress === undefined;
    if (!progress) {
      return;
    }
    // What is known is scored again until it fits the labels and the method; that can only wait.
    this.cancel.hidden = progress.kind === "scores";
    const { kind, done, all, perSecond, secondsLeft, paused } = progress;
    this.bar.value = all > 0 ? done / all : 0;
    const text = kind === "scores" ? strings.queue.scoring(done, all) : strings.queue.text(done, all, paused ? 0 : perSecond, secondsLeft);
    this.text.textContent = paused ? `${strings.queue.paused} · ${text}` : text;
    if (paused !== this.paused) {
      this.paused = paused;
      this.pause.replaceChildren(icon(paused ? "play" : "pause"), paused ? strings.queue.resume : strings.queue.pause);
    }
  }
}
