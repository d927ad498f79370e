/** A panel over the page. Escape and its button close it; the focus goes back to where it was. */

import { button, make, type Child } from "../dom";
import * as strings from "../strings";
import { icon } from "./icons";

export class Sheet {
  readonly element: HTMLDialogElement;
  private readonly heading: HTMLHeadingElement;
  private readonly closeButton = button({ className: "bare", title: strings.common.close, onclick: () => this.close() }, icon("close"));
  private held = false;

  /** @param onClose runs after the panel was closed in any way, unless it is open again by then. */
  constructor(id: string, title: string, children: readonly Child[], onClose: () => void = () => {}) {
    this.heading = make("h2", { id: `${id}-title` }, title);
    this.element = make(
      "dialog",
      { id, className: "sheet", "aria-labelledby": `${id}-title` },
      make(
        "div",
        { className: "sheet-head" },
        this.heading,
        this.closeButton,
      ),
      make("div", { className: "sheet-body" }, ...children),
    );
    // Browsers tell of it a moment later.
    this.element.onclose = () => {
      if (!this.isOpen) {
        onClose();
      }
    };
    // A press beside the panel closes it.
    this.element.onmousedown = (event) => {
      if (event.target === this.element && !this.held && isBeside(this.element, event)) {
        this.close();
      }
    };
    // Browsers close at the second Escape whatever cancel is answered.
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.held) {
        event.preventDefault();
      }
    });
    this.element.oncancel = (event) => {
      if (event.target === this.element && this.held) {
        event.preventDefault();
      }
    };
    document.body.append(this.element);
  }

  get isOpen(): boolean {
    return this.element.open;
  }

  /** Keeps the panel open, such as during work that it shows: nobody can close it meanwhile. */
  hold(on: boolean): void {
    this.held = this.closeButton.disabled = on;
  }

  open(): void {
    if (!this.element.open) {
      this.element.showModal();
    }
  }

  close(): void {
    this.element.close();
  }
}

/** Whether the pointer is outside an element's box; a press on its scroll bar is not. */
function isBeside(element: HTMLElement, { clientX: x, clientY: y }: MouseEvent): boolean {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return x < left || x > right || y < top || y > bottom;
}
