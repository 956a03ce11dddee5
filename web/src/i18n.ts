// The language of the page. Elements remember which sentence they show, so
// that a switch changes them in place and the picture never stops.

import { settings } from "./storage";
import { en, type Key } from "./words-en";
import { zh } from "./words-zh";

export type Lang = "en" | "zh";
export type Vars = Record<string, string | number>;
export type { Key };

const words: Record<Lang, Record<Key, string>> = { en, zh };

/** The sentence in `lang`; pure. */
export function sentence(lang: Lang, key: Key, vars: Vars = {}): string {
  return words[lang][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(vars[name] ?? whole));
}

/** The language of somebody who prefers `languages`, in that order. */
export function preferred(languages: readonly string[]): Lang {
  const first = languages.find((l) => /^(zh|en)\b/i.test(l)) ?? languages[0] ?? "en";
  return first.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const isKey = (s: string): s is Key => Object.hasOwn(en, s);

type Spot = "text" | "aria-label" | "title" | "placeholder";

interface Bound {
  key: Key;
  vars: Vars;
}

/** The page's one speaker: owns the choice of language and every bound element. */
export class Speaker {
  private readonly bound = new Map<Spot, WeakMap<Element, Bound>>();
  private readonly box = settings();
  private readonly followers: (() => void)[] = [];
  private current: Lang;

  constructor(private readonly doc: Document = document) {
    const stored = this.box.get("lang");
    this.current = stored === "en" || stored === "zh" ? stored : preferred(navigator.languages);
    this.declare();
  }

  get lang(): Lang {
    return this.current;
  }

  t(key: Key, vars?: Vars): string {
    return sentence(this.current, key, vars);
  }

  /** Shows the sentence in the element, now and after every switch of language. */
  say<E extends Element>(element: E, key: Key, vars: Vars = {}, spot: Spot = "text"): E {
    let map = this.bound.get(spot);
    if (!map) this.bound.set(spot, (map = new WeakMap()));
    map.set(element, { key, vars });
    element.setAttribute("data-say", "");
    this.write(element, spot, { key, vars });
    return element;
  }

  /** Names a control for readers and for the pointer. */
  label<E extends Element>(element: E, key: Key, vars: Vars = {}): E {
    this.say(element, key, vars, "title");
    return this.say(element, key, vars, "aria-label");
  }

  toggle(): void {
    this.current = this.current === "en" ? "zh" : "en";
    this.box.set("lang", this.current);
    this.declare();
    for (const element of this.doc.querySelectorAll("[data-say]")) {
      for (const [spot, map] of this.bound) {
        const bound = map.get(element);
        if (bound) this.write(element, spot, bound);
      }
    }
    for (const told of this.followers) told();
  }

  /** Calls `told` after every switch: for texts that are no sentences. */
  follow(told: () => void): void {
    this.followers.push(told);
  }

  private declare(): void {
    this.doc.documentElement.lang = this.current;
  }

  private write(element: Element, spot: Spot, b: Bound): void {
    const value = this.t(b.key, b.vars);
    if (spot !== "text") element.setAttribute(spot, value);
    else if (element.textContent !== value) element.textContent = value;
  }
}
