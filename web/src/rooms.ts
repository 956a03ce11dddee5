// Which rooms a reader of the directory looks for. Pure.

import type { Room } from "./api";

/** A room as the directory lists it. */
export interface Listed {
  room: Room;
  viewers: number;
  text: string; // all that can be found, in plain letters
}

export interface Wish {
  query: string;
  language: string; // primary tag; "" = any
}

/** Letters without the differences people do not type: width, case, accents. */
export const plain = (s: string): string => s.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** zh-Hant-TW → zh. */
export const primary = (tag: string): string => tag.split("-", 1)[0]!.toLowerCase();

/** Rooms that are on, the fullest first. */
export function list(rooms: readonly Room[], viewers: ReadonlyMap<string, number>): Listed[] {
  const all = rooms
    .filter((r) => r.phase === "live" || r.phase === "away" || r.phase === "starting")
    .map((room) => ({
      room,
      viewers: (viewers.get(room.room) ?? 0) + room.players,
      text: plain([room.title, room.room, ...room.tags.map((t) => `#${t}`), languageName(room.language, room.language)].join("\n")),
    }));
  return all.sort((a, b) => b.viewers - a.viewers || (a.room.room < b.room.room ? -1 : 1));
}

/** Those in which every word of the query is found; "#walk" means the tag. */
export function find(all: readonly Listed[], wish: Wish): Listed[] {
  const words = plain(wish.query).split(/\s+/).filter((w) => w !== "" && w !== "#");
  return all.filter((l) =>
    (wish.language === "" || primary(l.room.language) === wish.language) && words.every((w) => l.text.includes(w)));
}

/** The languages spoken in the rooms, the most frequent first. */
export function languages(all: readonly Listed[]): string[] {
  const count = new Map<string, number>();
  for (const { room } of all) {
    const tag = primary(room.language);
    if (tag !== "") count.set(tag, (count.get(tag) ?? 0) + 1);
  }
  return [...count].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([tag]) => tag);
}

const names = new Map<string, string>(); // asking the browser takes longer than all the rest of a list

/** The name of a language in the language `inside`; the tag itself when nobody knows it. */
export function languageName(tag: string, inside: string): string {
  if (tag === "") return "";
  const key = `${inside} ${tag}`;
  let name = names.get(key);
  if (name === undefined) names.set(key, (name = askName(tag, inside)));
  return name;
}

function askName(tag: string, inside: string): string {
  try {
    return new Intl.DisplayNames([inside], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // a well-formed tag of no language, or an old browser
  }
}
