// Reads playlists as JSON strings, a line each, with hls-parser in its strict mode;
// prints what is wrong, and a count at the end.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const HLS = require("hls-parser");
HLS.setOptions({ strictMode: true });

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const text = JSON.parse(line);
  count++;
  try {
    HLS.parse(text);
  } catch (e) {
    console.log(`${e.message}\n${text}`);
  }
}
console.log(`read ${count}`);
