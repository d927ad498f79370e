/** What can be undone: changes of marks, a batch at a time. */

import type { Undone } from "./types";

const maxSteps = 1000;
const maxMarks = 200_000; // in all steps together

export class History {
  private past: Undone[] = [];
  private future: Undone[] = [];
  private marks = 0; // in past

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** Remembers a change that was made; what was undone before cannot be redone any more. */
  push(step: Undone): void {
    this.future = [];
    this.past.push(step);
    this.marks += step.ids.length;
    while (this.past.length > maxSteps || (this.marks > maxMarks && this.past.length > 1)) {
      this.marks -= this.past.shift()!.ids.length;
    }
  }

  /** Takes the last change; the caller sets the marks to what is returned as after. */
  undo(): Undone | undefined {
    const step = this.past.pop();
    if (!step) {
      return undefined;
    }
    this.marks -= step.ids.length;
    this.future.push(step);
    return { ids: step.ids, before: step.after, after: step.before };
  }

  redo(): Undone | undefined {
    const step = this.future.pop();
    if (step) {
      this.past.push(step);
      this.marks += step.ids.length;
    }
    return step;
  }

  clear(): void {
    this.past = [];
    this.future = [];
    this.marks = 0;
  }
}
