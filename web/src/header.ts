// The bar on top of every page.

import { h, icon, type Child } from "./dom";
import type { Speaker } from "./i18n";

/** Three comments on their way: the mark of the house. */
function mark(): SVGSVGElement {
  const svg = icon("M9 6.500h12", "M3 12h12", "M7 17.500h8");
  svg.setAttribute("class", "mark");
  return svg;
}

export function header(siteName: string, speaker: Speaker, ...middle: Child[]): HTMLElement {
  const brand = h("a", { class: "brand", href: "/", testid: "brand" }, mark(), h("span", {}, siteName));
  speaker.say(brand, "home", {}, "title");
  const lang = h("button", { class: "ghost lang", type: "button", testid: "lang" });
  speaker.say(lang, "lang.switch");
  speaker.say(lang, "lang.label", {}, "aria-label");
  lang.addEventListener("click", () => speaker.toggle());
  return h("header", { class: "top" }, brand, h("div", { class: "top-middle" }, ...middle), lang);
}
