// The room page in a headless Chromium, while everybody shouts: node balse.mjs URL GO PICTURE.
// GO is a file that appears with the shout; then the picture with the most bullets on it of the next seconds is kept.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const [url, go, picture] = process.argv.slice(2);
const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // A root user has no sandbox in Chromium; the page is our own.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(url, { waitUntil: "domcontentloaded" });
const bullets = () => page.evaluate(() => document.querySelectorAll(".bullet").length);
console.error("browser: the page is open");
for (const until = Date.now() + 10 * 60_000; !existsSync(go); await pause(50)) {
  if (Date.now() > until || !browser.isConnected()) throw new Error("nobody shouted");
}
let most = -1;
for (const until = Date.now() + 8000; Date.now() < until; await pause(200)) {
  const n = await bullets();
  if (n > most) {
    await page.screenshot({ path: picture });
    most = n;
  }
}
console.error(`browser: at most ${most} bullets on the picture at once`);
await browser.close();
if (most <= 0) process.exit(1);
