// Texts to be copied, with their buttons.

import { h } from "./dom";
import type { Key, Speaker, Vars } from "./i18n";

export interface Field {
  root: HTMLElement;
  value: HTMLInputElement;
  tools: HTMLElement;
}

/** A text to be copied; its buttons go into tools. */
export function field(speaker: Speaker, label: Key, testid: string, vars: Vars = {}): Field {
  const value = h("input", { type: "text", readonly: true, class: "copy-value", testid, spellcheck: "false" });
  value.addEventListener("focus", () => value.select());
  const name = speaker.say(h("span", { class: "field-name" }), label, vars);
  speaker.say(value, label, vars, "aria-label");
  const tools = h("div", { class: "field-line" }, value);
  return { root: h("div", { class: "field" }, name, tools), value, tools };
}

export function copyButton(speaker: Speaker, testid: string, text: () => string): HTMLButtonElement {
  const b = speaker.say(h("button", { class: "button", type: "button", testid }), "copy");
  b.addEventListener("click", () => {
    void copy(text()).then(() => {
      speaker.say(b, "copied");
      setTimeout(() => speaker.say(b, "copy"), 1500);
    });
  });
  return b;
}

/** navigator.clipboard exists only on HTTPS and localhost; a home network has neither. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "offscreen" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
