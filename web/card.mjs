// Draws src/card.svg into src/card.jpg, the picture of shared links: those who
// show it know no SVG. Run it after a change: node card.mjs

import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1200, height: 630 } });
await page.setContent(`<body style="margin:0">${await readFile("src/card.svg", "utf8")}</body>`);
await page.screenshot({ path: "src/card.jpg", quality: 88 });
await browser.close();
