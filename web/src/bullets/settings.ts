// How this reader wants bullets. Pure but for the box that keeps it.

import type { Comment } from "../protocol";
import type { Box } from "../storage";

export const areas = [0.25, 0.5, 0.75, 1] as const; // part of the picture, from the top
export const sizes = [0.75, 1, 1.3, 1.6] as const;
export const speeds = ["slow", "normal", "fast"] as const;
export const densities = ["few", "normal", "many"] as const;

export type Speed = (typeof speeds)[number];
export type Density = (typeof densities)[number];

export interface Person {
  id: string;
  nick: string;
}

export interface Settings {
  on: boolean;
  opacity: number; // 0.2 … 1
  area: number;
  size: number;
  speed: Speed;
  density: Density;
  words: string[];
  people: Person[];
}

export const defaults: Readonly<Settings> = {
  on: true, opacity: 1, area: 0.75, size: 1, speed: "normal", density: "normal", words: [], people: [],
};

const maxWords = 100;
const maxPeople = 200;
const maxLetters = 50;
const key = "bullets";

type Dict = Record<string, unknown>;

const pick = <T>(values: readonly T[], v: unknown, fallback: T): T => (values.includes(v as T) ? (v as T) : fallback);

/** What was stored, as far as it makes sense. */
export function parseSettings(stored: string | null): Settings {
  if (stored === "off") return { ...defaults, on: false };
  let v: Dict = {};
  try {
    const parsed: unknown = JSON.parse(stored ?? "{}");
    if (typeof parsed === "object" && parsed !== null) v = parsed as Dict;
  } catch {
    // An older page, or somebody's hand: the defaults.
  }
  return {
    on: v.on !== false,
    opacity: typeof v.opacity === "number" && v.opacity >= 0.2 && v.opacity <= 1 ? v.opacity : defaults.opacity,
    area: pick<number>(areas, v.area, defaults.area),
    size: pick<number>(sizes, v.size, defaults.size),
    speed: pick(speeds, v.speed, defaults.speed),
    density: pick(densities, v.density, defaults.density),
    words: (Array.isArray(v.words) ? v.words : []).filter((w): w is string => typeof w === "string").slice(-maxWords),
    people: (Array.isArray(v.people) ? v.people : []).filter(isPerson).slice(-maxPeople),
  };
}

function isPerson(v: unknown): v is Person {
  if (typeof v !== "object" || v === null) return false;
  const { id, nick } = v as Dict;
  return typeof id === "string" && id !== "" && typeof nick === "string";
}

/** A text without the differences that nobody sees or everybody uses to get around a word. */
const bare = (text: string): string => text.normalize("NFKC").toLowerCase();

/** The reader's settings: kept, shared by all parts of a page, told to who follows. */
export class Preferences {
  private current: Settings;
  private words: string[] = [];
  private people = new Set<string>();
  private readonly followers: (() => void)[] = [];

  constructor(private readonly box: Box) {
    this.current = parseSettings(box.get(key));
    this.index();
  }

  get value(): Readonly<Settings> {
    return this.current;
  }

  set(change: Partial<Settings>): void {
    this.current = { ...this.current, ...change };
    this.box.set(key, JSON.stringify(this.current));
    this.index();
    for (const told of this.followers) told();
  }

  reset(): void {
    this.set(defaults);
  }

  follow(told: () => void): void {
    this.followers.push(told);
  }

  blockWord(word: string): void {
    const w = [...word.trim()].slice(0, maxLetters).join("");
    if (w === "" || this.words.includes(bare(w))) return;
    this.set({ words: [...this.current.words, w].slice(-maxWords) });
  }

  blockPerson(p: Person): void {
    if (p.id === "" || this.people.has(p.id)) return;
    this.set({ people: [...this.current.people, p].slice(-maxPeople) });
  }

  allowWord(word: string): void {
    this.set({ words: this.current.words.filter((w) => w !== word) });
  }

  allowPerson(id: string): void {
    this.set({ people: this.current.people.filter((p) => p.id !== id) });
  }

  /** Whether this reader does not want to see `c`, neither flying nor in the list. */
  blocks(c: Pick<Comment, "text" | "author">): boolean {
    if (this.people.has(c.author)) return true;
    if (this.words.length === 0) return false;
    const text = bare(c.text);
    return this.words.some((w) => text.includes(w));
  }

  private index(): void {
    this.words = this.current.words.map(bare).filter((w) => w !== "");
    this.people = new Set(this.current.people.map((p) => p.id));
  }
}
