/** The page's icons, drawn for it: strokes in a square of 24 units. */

const paths = {
  add: "M12 5v14M5 12h14",
  camera: "M4 8h3.500l1.500-2.500h6L16.500 8H20v11H4zM12 10a3.300 3.300 0 1 0 0 6.600 3.300 3.300 0 0 0 0-6.600",
  check: "M5 12.500l4.500 4.500L19 7.500",
  close: "M6 6l12 12M18 6L6 18",
  cross: "M6.500 6.500l11 11M17.500 6.500l-11 11",
  flag: "M7 20V5h10l-2.500 3.500L17 12H7",
  folder: "M4 18.500v-12h5.500l2 2.500H20v9.500z",
  keyboard: "M3.500 7h17v10h-17zM7 10.500h.010M10.500 10.500h.010M14 10.500h.010M17.500 10.500h.010M8 13.800h8",
  labels: "M4 5h7l9 9-6.500 6.500L4.500 11.500zM8 8.800h.010",
  left: "M14.500 6l-6 6 6 6",
  model: "M12 3.500l7.500 4.300v8.400L12 20.500l-7.500-4.300V7.800zM12 12l7.300-4.200M12 12v8.300M12 12L4.700 7.800",
  open: "M9 4.500H4.500V9M15 4.500h4.500V9M9 19.500H4.500V15M15 19.500h4.500V15",
  pause: "M8.500 6v12M15.500 6v12",
  play: "M8 5.500l10.500 6.500L8 18.500z",
  redo: "M19.500 9.500H9a5 5 0 0 0 0 10h4M15.500 5.500l4 4-4 4",
  right: "M9.500 6l6 6-6 6",
  save: "M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 19.500h14",
  shield: "M12 3.500l7 2.500v6c0 4.200-2.900 7-7 8.500-4.100-1.500-7-4.300-7-8.500V6zM8.800 12l2.300 2.300 4.200-4.500",
  tag: "M5.500 4.500v5l9.500 9.500 5-5L10.500 4.500zM9 8.300h.010",
  trash: "M5 7h14M9.500 7V4.500h5V7M7 7l.8 12.500h8.400L17 7",
  undo: "M4.500 9.500H15a5 5 0 0 1 0 10h-4M8.500 5.500l-4 4 4 4",
} as const;

export type IconName = keyof typeof paths;

/** Draws an icon; it says nothing to screen readers. */
export function icon(name: IconName): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}
