// What 300 bullets cost: `npm run bench` prints the frames of a room in which
// everybody shouts, drawn by a real Chromium whose script is slowed down.
//
//   npm run bench -- --throttle 4 --shown 40 --comments 1000 --seconds 20

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import * as esbuild from "esbuild";
import { chromium } from "playwright-core";

const { values } = parseArgs({
  options: {
    throttle: { type: "string", default: "4" },
    comments: { type: "string", default: "1000" },
    shown: { type: "string", default: "60" },
    seconds: { type: "string", default: "20" },
    size: { type: "string", default: "0.75" },
    width: { type: "string", default: "1700" },
    height: { type: "string", default: "720" },
    screenshot: { type: "string" },
    trace: { type: "string" }, // a file for chrome://tracing
    empty: { type: "boolean", default: false }, // the same page without a bullet
  },
});

const built = await esbuild.build({
  entryPoints: ["bench/stage.ts"], bundle: true, format: "esm", write: false, target: ["chrome100"],
});
const style = await esbuild.build({ entryPoints: ["src/styles/room.css"], bundle: true, write: false });
const page = `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/style.css"><script type="module" src="/stage.js"></script>
<body><div class="stage" data-picture="moving"><div class="bullets"></div></div>`;
const extra = `.stage { width: 100vw; height: 100vh; --picture-ratio: 1.7778; background: linear-gradient(120deg, #3b1a6e, #d9575b, #1b2a5e); }`;
const files = {
  "/": ["text/html", page],
  "/stage.js": ["text/javascript", built.outputFiles[0].text],
  "/style.css": ["text/css", style.outputFiles[0].text + extra],
};
const server = createServer((q, r) => {
  const [type, body] = files[q.url] ?? ["text/plain", ""];
  r.setHeader("Content-Type", type).end(body);
}).listen(0, "127.0.0.1");
await new Promise((r) => server.once("listening", r));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const tab = await browser.newPage({ viewport: { width: Number(values.width), height: Number(values.height) } });
await tab.goto(`http://127.0.0.1:${server.address().port}/`);
const cdp = await tab.context().newCDPSession(tab);
await cdp.send("Performance.enable");
await cdp.send("Emulation.setCPUThrottlingRate", { rate: Number(values.throttle) });

const metrics = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map((m) => [m.name, m.value]));
const root = await browser.newBrowserCDPSession();
const spent = async () => {
  const { processInfo } = await root.send("SystemInfo.getProcessInfo");
  const of = (type) => processInfo.filter((p) => p.type === type).reduce((sum, p) => sum + p.cpuTime, 0);
  return { renderer: of("renderer"), gpu: of("GPU") };
};
const load = await readFile("/proc/loadavg", "utf8").catch(() => "?");
const [before, spentBefore] = [await metrics(), await spent()];
if (values.trace) await browser.startTracing(tab, { path: values.trace, categories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel", "cc"] });
const measuring = tab.evaluate((o) => window.measure(o), {
  perSecond: Number(values.comments), shown: values.empty ? 0.001 : Number(values.shown),
  seconds: Number(values.seconds), warmUp: 9, size: Number(values.size),
});
if (values.screenshot) {
  await new Promise((r) => setTimeout(r, 9000));
  await tab.screenshot({ path: values.screenshot });
}
const result = await measuring;
const [after, spentAfter] = [await metrics(), await spent()];
if (values.trace) await browser.stopTracing();
await browser.close();
server.close();

const sorted = result.frames.toSorted((a, b) => a - b);
const at = (p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))].toFixed(1);
const all = Number(values.seconds) + 9;
const share = (name) => `${(((after[name] - before[name]) / all) * 100).toFixed(1)} %`;
const mean = result.flying.reduce((a, b) => a + b, 0) / Math.max(1, result.flying.length);
console.log(`load ${load.split(" ")[0]}, throttle ${values.throttle}×, ${values.width}×${values.height}, ${values.comments} comments/s, ${values.shown} of them new`);
console.log(`on screen  mean ${mean.toFixed(0)}, least ${Math.min(...result.flying)}, most ${Math.max(...result.flying)}; drawn ${result.shown}; pairs that touch ${result.overlaps}`);
console.log(`frames     ${sorted.length} in ${values.seconds} s; p50 ${at(0.5)}  p95 ${at(0.95)}  p99 ${at(0.99)}  max ${at(1)} ms; above 20 ms: ${sorted.filter((f) => f > 20).length}`);
console.log(`main thread ${share("TaskDuration")} busy: script ${share("ScriptDuration")}, style ${share("RecalcStyleDuration")}, layout ${share("LayoutDuration")}`);
const cpu = (type) => ((spentAfter[type] - spentBefore[type]) / all).toFixed(2);
console.log(`CPU seconds each second: page ${cpu("renderer")} (with what the throttle burns), compositor without a GPU ${cpu("gpu")}`);
