// Numbers as people read them. Pure.

import type { Lang } from "./i18n";

/** 1234 → "1,234"; 143199 → "143K" or "14.3万". */
export function count(n: number, lang: Lang): string {
  if (n < 10_000) return new Intl.NumberFormat(lang === "zh" ? "zh-CN" : "en").format(n);
  return new Intl.NumberFormat(lang === "zh" ? "zh-CN" : "en", {
    notation: "compact",
    maximumSignificantDigits: 3,
  }).format(n);
}

/** 5_961_000 → "5.96 Mbit/s". */
export function bitrate(bps: number): string {
  if (bps >= 1e6) return `${(bps / 1e6).toFixed(2)} Mbit/s`;
  return `${Math.round(bps / 1e3)} kbit/s`;
}

/** 3_725_000 ms → "1:02:05". */
export function elapsed(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return h > 0 ? `${h}:${rest}` : rest;
}

/** 29.97 → "29.97", 30 → "30", 2.004 → "2". */
export function short(n: number, digits = 2): string {
  return String(Number(n.toFixed(digits)));
}

const hues = [352, 18, 36, 172, 202, 228, 262, 292, 322]; // no greens and yellows: they fight the accents

/** A stable hue for a name. */
export function hue(name: string): number {
  let x = 2166136261; // FNV-1a: spreads similar names apart
  for (const c of name) x = Math.imul(x ^ c.codePointAt(0)!, 16777619);
  return hues[(x >>> 0) % hues.length]!;
}

/** 2.04 → "2.0". */
export function seconds(n: number): string {
  return Math.abs(n).toFixed(1);
}

/** 75 s → "1:15". */
export function ago(s: number): string {
  const whole = Math.max(0, Math.round(s));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
