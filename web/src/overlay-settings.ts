// The settings of an overlay, as its address has them. Pure.

const numbers = ["size", "opacity", "area"];
const words = ["speed", "density"];

/** What parseSettings reads; it puts right what makes no sense. */
export function settingsIn(search: string): string {
  const query = new URLSearchParams(search);
  const found: Record<string, string | number> = { area: 1 }; // an overlay is all bullets
  for (const [name, value] of query) {
    if (numbers.includes(name)) found[name] = Number(value);
    else if (words.includes(name)) found[name] = value;
  }
  return JSON.stringify(found);
}
