// Names to start with. A suggestion that makes somebody smile is kept more
// often than "guest-8f3k".

import type { Lang } from "./i18n";

const en = [
  ["Sunny", "Sleepy", "Lucky", "Brave", "Dizzy", "Neon", "Velvet", "Cosmic", "Gentle", "Spicy"],
  ["Otter", "Panda", "Comet", "Noodle", "Fox", "Mango", "Whale", "Robin", "Pixel", "Lynx"],
] as const;
const zh = [
  ["开心的", "困困的", "幸运的", "勇敢的", "闪亮的", "路过的", "温柔的", "热辣的", "安静的", "蹦跳的"],
  ["水獭", "熊猫", "小彗星", "面条", "狐狸", "芒果", "鲸鱼", "知更鸟", "像素", "小猫"],
] as const;

export function suggestion(lang: Lang, random: () => number = Math.random): string {
  const [first, second] = lang === "zh" ? zh : en;
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? "";
  return `${pick(first)}${lang === "zh" ? "" : " "}${pick(second)}`;
}
