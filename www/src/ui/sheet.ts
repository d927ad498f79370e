/** A panel over the page. Escape and its button close it; the focus goes back to where it was. */

import { button, make, type Child } from "../dom";
import * as strings from "../strings";
import { icon } from "./icons";

export class Sheet {
  readonly element: HTMLDialogElement;
  private readonly heading: HTMLHeadingElement;

  /** @param onClose runs after the panel was closed in any way. */
  constructor(id: string, title: string, children: readonly Child[], onClose: () => void = () => {}) {
    this.heading = make("h2", { id: `${id}-title` }, title);
    this.element = make(
      "dialog",
      { id, className: "sheet", "aria-labelledby": `${id}-title` },
      make(
        "div",
        { className: "sheet-head" },
        this.heading,
        button({ className: "bare", title: strings.common.close, onclick: () => this.close() }, icon("close")),
      ),
      make("div", { className: "sheet-body" }, ...children),
    );
    this.element.onclose = onClose;
    // A press beside the panel closes it.
    this.element.onmousedown = (event) => {
      if (event.target === this.element) {
        this.close();
      }
    };
    document.body.append(this.element);
  }

  get isOpen(): boolean {
    return this.element.open;
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
