// The panel that says how this page plays: together or alone, how far behind, in
// which quality.

import { h, show } from "./dom";
import { seconds } from "./format";
import type { Key, Speaker } from "./i18n";
import type { Player } from "./player";
import { Sheet } from "./sheet";
import type { Steering } from "./steering";

export class Viewing {
  readonly sheet: Sheet;
  private readonly on = h("input", { type: "checkbox", class: "switch", role: "switch", testid: "together" });
  private readonly said = h("p", { class: "panel-hint", testid: "union", role: "status" });
  private readonly behind = h("b", { testid: "latency" });
  private readonly plays = h("b", { testid: "quality" });
  private readonly choice = h("select", { testid: "quality-choice", id: "quality-choice" });
  private readonly chooser: HTMLElement;
  private offered = "";

  constructor(
    private readonly speaker: Speaker,
    private readonly player: Player,
    private readonly steering: Steering,
  ) {
    const row = (key: Key, ...content: HTMLElement[]): HTMLElement =>
      h("div", { class: "panel-row" }, speaker.say(h("span"), key), ...content);
    this.chooser = h("div", { class: "panel-row" }, speaker.say(h("label", { for: "quality-choice" }), "view.quality.choose"), this.choice);
    this.sheet = new Sheet(speaker, { title: "view.title", testid: "viewing", close: "viewing-close" },
      h("label", { class: "panel-row" }, speaker.say(h("span"), "view.together"), this.on), this.said,
      row("view.behind", this.behind), row("view.quality", this.plays), this.chooser);
    this.sheet.onOpen = () => this.refresh();
    this.on.addEventListener("change", () => {
      this.steering.on = this.on.checked;
      this.refresh();
    });
    this.choice.addEventListener("change", () => this.player.choose(Number(this.choice.value)));
    speaker.follow(() => (this.offered = ""));
  }

  /** Called once a second, and when it opens. */
  refresh(): void {
    const { speaker, steering, player } = this;
    this.on.checked = steering.on;
    speaker.say(this.said, `view.union.${steering.union}`, { n: seconds(steering.late ?? 0) });
    const behind = behindLive(steering, player);
    this.behind.textContent = behind === null ? "–" : speaker.t("view.seconds", { n: seconds(behind) });
    const { name, auto } = player.quality;
    this.plays.textContent = name || "–";
    this.offer(player.qualities, auto ? -1 : player.quality.index);
  }

  /** A choice of one is none. */
  private offer(all: string[], chosen: number): void {
    show(this.chooser, all.length > 1);
    if (this.offered !== all.join()) {
      this.offered = all.join();
      this.choice.replaceChildren(h("option", { value: -1 }, this.speaker.t("view.quality.auto")),
        ...all.map((name, i) => h("option", { value: i }, name)));
    }
    this.choice.value = String(chosen);
  }
}

/** Seconds behind what is being made: by the room's clock, else by the player's word. */
export function behindLive(steering: Steering, player: Player): number | null {
  return steering.behindNow ?? (steering.live ? player.measure().latency : null);
}
