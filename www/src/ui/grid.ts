/** A list of equal tiles of which only those in view exist; elements are used again. */

const spareRows = 2; // above and below what is in view
const gap = 12; // pixels
const smallestTile = 150;
const caption = 54; // pixels below a tile's picture
const shape = 0.75; // height of a picture to its width

export interface Tile {
  readonly element: HTMLElement;
  /** Shows the item at an index. */
  show(index: number, active: boolean): void;
  /** Gives back what it holds; it may be shown again. */
  clear(): void;
}

/** How a movement changes the selection. */
export type Reach = "only" | "toggle" | "range" | "keep";

export interface GridEvents {
  makeTile(): Tile;
  /** The person went to an item. */
  onMove(index: number, reach: Reach): void;
  /** An item was clicked or tapped, without keys that widen the selection. */
  onClick(index: number): void;
  onOpen(index: number): void;
  /** Pixels at the lower edge of the window that something lies over. */
  covered(): number;
}

export class Grid {
  private count = 0;
  private active = -1;
  private columns = 1;
  private tileWidth = smallestTile;
  private readonly shown = new Map<number, Tile>();
  private readonly spare: Tile[] = [];
  private frame = 0;

  /** @param element is an empty listbox. */
  constructor(
    readonly element: HTMLElement,
    private readonly events: GridEvents,
  ) {
    new ResizeObserver(() => this.schedule()).observe(element);
    document.addEventListener("scroll", () => this.schedule(), { capture: true, passive: true });
    window.addEventListener("resize", () => this.schedule());
    element.addEventListener("keydown", (event) => this.onKey(event));
    element.addEventListener("click", (event) => this.onClick(event));
    element.addEventListener("dblclick", (event) => {
      const index = this.indexAt(event.target);
      if (index !== undefined) {
        this.events.onOpen(index);
      }
    });
  }

  /** Shows so many items, of which one is active (-1: none); every tile in view is drawn again. */
  setItems(count: number, active: number): void {
    this.count = count;
    this.active = active;
    for (const [index, tile] of this.shown) {
      if (index >= count) {
        this.release(index, tile);
      } else {
        tile.show(index, index === active);
      }
    }
    this.nameActive();
    this.schedule();
  }

  /** Draws the tile of an item again, if it is in view. */
  update(index: number): void {
    this.shown.get(index)?.show(index, index === this.active);
  }

  /** Makes an item the active one and brings it into view. */
  goTo(index: number): void {
    const before = this.active;
    this.active = index;
    this.update(before);
    this.update(index);
    this.reveal(index);
    this.render();
  }

  private get rowHeight(): number {
    return Math.round(this.tileWidth * shape) + caption + gap;
  }

  private schedule(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  private measure(): void {
    const width = this.element.clientWidth;
    const columns = Math.max(1, Math.floor((width + gap) / (smallestTile + gap)));
    const tileWidth = Math.floor((width - gap * (columns - 1)) / columns);
    if (columns !== this.columns || tileWidth !== this.tileWidth) {
      this.columns = columns;
      this.tileWidth = tileWidth;
      for (const [index, tile] of this.shown) {
        this.place(index, tile);
      }
    }
    const height = Math.max(0, Math.ceil(this.count / columns) * this.rowHeight - gap);
    this.element.style.height = `${height}px`;
  }

  /** Makes the tiles that are in view and takes away the others; the rows around them come frame by frame. */
  private render(): void {
    if (this.element.clientWidth === 0) {
      return; // hidden
    }
    this.measure();
    const { top, bottom } = this.viewport();
    const own = this.element.getBoundingClientRect().top;
    const firstRow = Math.max(0, Math.floor((top - own) / this.rowHeight));
    const lastRow = Math.min(Math.ceil(this.count / this.columns), Math.ceil((bottom - own) / this.rowHeight));
    const isKept = (index: number) => index >= (firstRow - spareRows) * this.columns && index < (lastRow + spareRows) * this.columns;
    const free: Tile[] = [];
    for (const [index, tile] of this.shown) {
      if (!isKept(index)) {
        this.shown.delete(index);
        tile.clear();
        free.push(tile);
      }
    }
    this.fill(firstRow, lastRow, free);
    // Tiles that stay in the page when they are used again cost no new layout.
    for (const tile of free) {
      tile.element.remove();
      this.spare.push(tile);
    }
    for (let row = 1; row <= spareRows; row++) {
      if (this.fill(lastRow + row - 1, lastRow + row, []) || this.fill(firstRow - row, firstRow - row + 1, [])) {
        this.schedule();
        break;
      }
    }
    this.nameActive();
  }

  /** Names the active item's tile for screen readers, while it is there. */
  private nameActive(): void {
    const active = this.shown.get(this.active);
    if (active) {
      this.element.setAttribute("aria-activedescendant", active.element.id);
    } else {
      this.element.removeAttribute("aria-activedescendant");
    }
  }

  /** Makes the tiles of some rows that are not there yet, of free ones where there are some; returns whether any was made. */
  private fill(firstRow: number, lastRow: number, free: Tile[]): boolean {
    let made = false;
    const last = Math.min(this.count, lastRow * this.columns);
    for (let index = Math.max(0, firstRow * this.columns); index < last; index++) {
      if (!this.shown.has(index)) {
        const used = free.pop();
        const tile = used ?? this.spare.pop() ?? this.events.makeTile();
        this.shown.set(index, tile);
        this.place(index, tile);
        tile.show(index, index === this.active);
        if (!used) {
          this.element.append(tile.element);
        }
        made = true;
      }
    }
    return made;
  }

  private place(index: number, tile: Tile): void {
    const column = index % this.columns;
    const row = Math.floor(index / this.columns);
    const { style, dataset } = tile.element;
    dataset["index"] = String(index);
    style.width = `${this.tileWidth}px`;
    style.height = `${this.rowHeight - gap}px`;
    style.translate = `${column * (this.tileWidth + gap)}px ${row * this.rowHeight}px`;
  }

  private release(index: number, tile: Tile): void {
    this.shown.delete(index);
    tile.element.remove();
    tile.clear();
    this.spare.push(tile);
  }

  /** What scrolls the grid: the pane around it, or the window on small screens. */
  private scroller(): Element {
    for (let e = this.element.parentElement; e && e !== document.body; e = e.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(e).overflowY)) {
        return e;
      }
    }
    return document.scrollingElement ?? document.documentElement;
  }

  /** The part of the window in which the grid can be seen. */
  private viewport(): { top: number; bottom: number } {
    const scroller = this.scroller();
    if (scroller === document.scrollingElement) {
      return { top: 0, bottom: window.innerHeight - this.events.covered() };
    }
    const { top, bottom } = scroller.getBoundingClientRect();
    return { top, bottom };
  }

  private reveal(index: number): void {
    if (index < 0) {
      return;
    }
    this.measure();
    const { top, bottom } = this.viewport();
    const from = this.element.getBoundingClientRect().top + Math.floor(index / this.columns) * this.rowHeight;
    const to = from + this.rowHeight;
    if (from < top + gap) {
      this.scroller().scrollBy(0, from - top - gap);
    } else if (to > bottom) {
      this.scroller().scrollBy(0, to - bottom);
    }
  }

  private indexAt(target: EventTarget | null): number | undefined {
    const tile = (target as Element | null)?.closest<HTMLElement>("[data-index]");
    return tile ? Number(tile.dataset["index"]) : undefined;
  }

  private onClick(event: MouseEvent): void {
    const index = this.indexAt(event.target);
    if (index === undefined) {
      return;
    }
    const mark = (event.target as Element).closest(".mark");
    if (event.shiftKey) {
      this.events.onMove(index, "range");
    } else if (mark || event.ctrlKey || event.metaKey) {
      this.events.onMove(index, "toggle");
    } else {
      this.events.onMove(index, "only");
      this.events.onClick(index);
    }
  }

  private onKey(event: KeyboardEvent): void {
    if (event.altKey || this.count === 0) {
      return;
    }
    const page = Math.max(1, Math.floor((this.viewport().bottom - this.viewport().top) / this.rowHeight));
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -page * this.columns,
      PageDown: page * this.columns,
      Home: -this.count,
      End: this.count,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      const at = Math.max(this.active, 0);
      const to = Math.min(this.count - 1, Math.max(0, this.active < 0 ? 0 : at + step));
      this.events.onMove(to, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "keep" : "only");
    } else if (event.key === "Enter" && this.active >= 0) {
      this.events.onOpen(this.active);
    } else if (event.key === " " && this.active >= 0) {
      this.events.onMove(this.active, "toggle");
    } else {
      return;
    }
    event.preventDefault();
  }
}
