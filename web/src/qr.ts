// A link as a QR code: dark squares on white, one path.

import { encode } from "uqr";

const svgNS = "http://www.w3.org/2000/svg";

/** The squares of `text` as path data, and how many there are on a side with the quiet zone of four (ISO 18004, 9.1). */
export function squares(text: string): { path: string; side: number } {
  const { data, size } = encode(text, { ecc: "M", border: 4 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return { path, side: size };
}

export function drawing(text: string, label: string): SVGSVGElement {
  const { path, side } = squares(text);
  const svg = document.createElementNS(svgNS, "svg");
  svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.setAttribute("class", "qr");
  svg.setAttribute("shape-rendering", "crispEdges");
  const dark = document.createElementNS(svgNS, "path");
  dark.setAttribute("d", path);
  svg.append(dark);
  return svg;
}
