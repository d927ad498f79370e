/** Keys that work wherever the focus is, except in fields and panels. */

export interface KeyActions {
  /** Whether single letters do anything; people whose speech software sends letters can switch them off. */
  letters(): boolean;
  /** Whether keys may act under an open panel. */
  actsUnder(panel: HTMLDialogElement): boolean;
  /** Runs what a letter stands for; says whether it stands for anything. */
  onLetter(letter: string): boolean;
  onUndo(): void;
  onRedo(): void;
  onAll(): void;
  onEscape(): void;
  /** Left or right, where no other control takes them. */
  onStep(step: 1 | -1): void;
}

const fields = "input:not([type=checkbox], [type=radio]), textarea, select";

export function listenToKeys(actions: KeyActions): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as Element;
    const panel = document.querySelector<HTMLDialogElement>("dialog[open]");
    if (event.defaultPrevented || target.matches(fields) || (panel && !actions.actsUnder(panel))) {
      return;
    }
    if (run(event, actions, panel !== null)) {
      event.preventDefault();
    }
  });
}

function run(event: KeyboardEvent, actions: KeyActions, inPanel: boolean): boolean {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z" || key === "y") {
      (key === "y" || event.shiftKey ? actions.onRedo : actions.onUndo)();
      return true;
    }
    if (key === "a" && !inPanel) {
      actions.onAll();
      return true;
    }
    return false;
  }
  if (event.altKey) {
    return false;
  }
  if (key === "Escape" && !inPanel) {
    actions.onEscape();
    return true;
  }
  if (inPanel && (key === "ArrowLeft" || key === "ArrowRight") && !(event.target as Element).matches("input, td")) {
    actions.onStep(key === "ArrowLeft" ? -1 : 1);
    return true;
  }
  return actions.letters() && key.length === 1 && actions.onLetter(key);
}
