// One Chromium for the end-to-end tests, driven by JSON lines: a request
// {"id", "op", …} on standard input, an answer {"id", "value"} or {"id", "error"} on
// standard output. Every page has a context of its own: its own cookies and storage,
// another person at another computer.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // A root user has no sandbox in Chromium; the pages are our own.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"],
});

/** @type {Map<string, {page: import("playwright-core").Page, problems: string[]}>} */
const pages = new Map();

async function open({ page: name, url, locale = "en-US", width = 1280, height = 800, reducedMotion = "no-preference", script }) {
  const context = await browser.newContext({ locale, viewport: { width, height }, reducedMotion, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  if (script) await page.addInitScript(script); // before those of the page
  const problems = [];
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("console", (m) => {
    // Requests that fail while a server is down are the browser's remark, not the page's.
    if (m.type() === "error" && !m.text().includes("net::ERR_") && !m.text().startsWith("WebSocket connection")) {
      problems.push(m.text());
    }
  });
  pages.set(name, { page, problems });
  await page.goto(url, { waitUntil: "domcontentloaded" });
}

const operations = {
  open,
  async eval({ page, code, frame }) {
    const whole = pages.get(page).page;
    const part = frame ? whole.frames().find((f) => f !== whole.mainFrame() && f.url().includes(frame)) : whole;
    if (!part) throw new Error(`no frame with ${frame} in it, only ${whole.frames().map((f) => f.url())}`);
    return (await part.evaluate(code)) ?? null;
  },
  async fill({ page, selector, text }) {
    await pages.get(page).page.fill(selector, text, { timeout: 5000 });
  },
  async press({ page, selector, text }) {
    await pages.get(page).page.press(selector, text, { timeout: 5000 });
  },
  async screenshot({ page, path, transparent }) {
    await pages.get(page).page.screenshot({ path, omitBackground: transparent }); // transparent: as a browser source of OBS
  },
  /** A network of its own for the page: ms that every answer takes longer, kbit/s of all answers together. */
  async network({ page, latency, down }) {
    const { page: whole } = pages.get(page);
    const session = await whole.context().newCDPSession(whole);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", { offline: false, latency, downloadThroughput: down > 0 ? down * 125 : -1, uploadThroughput: -1 });
  },
  /** What axe finds wrong for people who cannot see or use a mouse: serious and critical only. */
  async axe({ page }) {
    const whole = pages.get(page).page;
    await whole.evaluate(axe); // past the page's policy: nothing is added to the page
    return whole.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations
      .filter((v) => v.impact === "serious" || v.impact === "critical")
      .flatMap((v) => v.nodes.map((n) => `${v.impact} ${v.id}: ${n.target.join(" ")}: ${n.any.concat(n.all, n.none).map((c) => c.message).join("; ")}`)));
  },
  async problems({ page }) {
    return pages.get(page).problems;
  },
  async close({ page }) {
    await pages.get(page).page.context().close();
    pages.delete(page);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  // Not awaited: two pages may wait at the same time.
  operations[request.op](request).then(
    (value) => console.log(JSON.stringify({ id: request.id, value: value ?? null })),
    (error) => console.log(JSON.stringify({ id: request.id, error: String(error).split("\n")[0] })),
  );
}
await browser.close();
