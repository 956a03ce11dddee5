// Bullets on nothing, for a browser source of OBS: they fly the moment they are
// known, because there is no picture here whose moment they could wait for.
//
// What viewers see is the anchor's choice, not a reader's: the settings are in
// the address (?size=1.3&opacity=0.8&area=0.5&speed=slow&density=few), and
// this computer's wish for less motion does not count.

import "./styles/overlay.css";
import { parseSettings } from "./bullets/settings";
import { Screen } from "./bullets/sky";
import { Wall } from "./bullets/wall";
import { canvasMeasure } from "./bullets/widths";
import { readConfig } from "./config";
import { h } from "./dom";
import { Listener } from "./listener";
import { settingsIn } from "./overlay-settings";

const config = readConfig();
const layer = h("main", { class: "bullets", testid: "bullets" });
document.getElementById("app")!.replaceChildren(layer);

const wall = new Wall({
  sky: new Screen(layer),
  measure: canvasMeasure(layer),
  now: () => performance.now(),
  reading: () => ({ at: null, rate: 1 }),
});
const settings = parseSettings(settingsIn(location.search));
layer.style.setProperty("--bullet-opacity", String(settings.opacity));
wall.configure(settings);

let timer = 0;
const wake = (): void => {
  clearTimeout(timer);
  timer = window.setTimeout(wake, wall.step());
};
new ResizeObserver(([entry]) => wall.resize(entry!.contentRect.width, entry!.contentRect.height)).observe(layer);
document.addEventListener("visibilitychange", () => wall.show(!document.hidden)); // a source that is not on air draws nothing

const none = new Map<string, string>();
new Listener(config, {
  tick(t) {
    wall.tell({ ...t, own: none });
    wake();
  },
  history: (comments) => wall.recall(comments), // said before: known, so that a count can grow, and not shown
  policy: (p) => (wall.delay = p.delay),
  gone: (id) => wall.remove(id),
}).start();
wake();
