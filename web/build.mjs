// Builds the pages into dist: content-hashed files, each with its gzip, and a
// manifest the Go handler reads. `node build.mjs --test` runs the unit tests
// instead.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const pages = ["directory", "room", "studio", "embed", "overlay"];
const outdir = "dist";
const keep = new Set(["placeholder.txt"]);
const roomBudget = 250 * 1024; // bytes of gzip a viewer loads before the picture

const target = ["chrome100", "firefox100", "safari15.4"];

async function clean() {
  for (const name of await readdir(outdir)) {
    if (!keep.has(name)) await rm(path.join(outdir, name), { recursive: true });
  }
}

async function bundle() {
  const { metafile } = await esbuild.build({
    entryPoints: pages.map((p) => `src/${p}.ts`),
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    target,
    entryNames: "[name]-[hash]",
    chunkNames: "shared-[hash]",
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  return metafile.outputs;
}

/** What page `name` needs, from esbuild's list of outputs. */
function describe(name, outputs) {
  const [script, output] = Object.entries(outputs).find(([, o]) => o.entryPoint === `src/${name}.ts`);
  const preload = new Set();
  const visit = (o) => {
    for (const i of o.imports ?? []) {
      if (i.kind !== "import-statement" || preload.has(i.path)) continue;
      preload.add(i.path);
      visit(outputs[i.path]);
    }
  };
  visit(output);
  const base = (file) => path.basename(file);
  return { script: base(script), style: base(output.cssBundle), preload: [...preload].map(base).sort() };
}

/** Copies a picture under a name that changes with it. */
async function copyPicture(file) {
  const body = await readFile(`src/${file}`);
  const hash = createHash("sha256").update(body).digest("hex").slice(0, 8).toUpperCase();
  const name = file.replace(".", `-${hash}.`);
  await writeFile(path.join(outdir, name), body);
  return name;
}

/** Compresses every file that gets smaller; returns gzip sizes by name. */
async function compress() {
  const sizes = {};
  for (const name of await readdir(outdir)) {
    if (!/\.(js|css|svg)$/.test(name)) continue;
    const plain = await readFile(path.join(outdir, name));
    const packed = gzipSync(plain, { level: 9 });
    sizes[name] = Math.min(plain.length, packed.length);
    if (packed.length < plain.length) await writeFile(path.join(outdir, `${name}.gz`), packed);
  }
  return sizes;
}

async function build() {
  await clean();
  const outputs = await bundle();
  const manifest = { icon: await copyPicture("icon.svg"), card: await copyPicture("card.jpg"), pages: {} };
  for (const page of pages) manifest.pages[page] = describe(page, outputs);
  const sizes = await compress();
  await writeFile(path.join(outdir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const [page, files] of Object.entries(manifest.pages)) {
    const total = [files.script, files.style, ...files.preload].reduce((sum, f) => sum + sizes[f], 0);
    console.log(`${page.padEnd(10)} ${(total / 1024).toFixed(1).padStart(6)} KiB gzip`);
    if (total > roomBudget) throw new Error(`${page} is over its budget of ${roomBudget / 1024} KiB`);
  }
}

async function test() {
  const dir = await mkdtemp(path.join(tmpdir(), "barrage-web-"));
  try {
    const names = (await readdir("src/test")).filter((n) => n.endsWith(".test.ts"));
    await esbuild.build({
      entryPoints: names.map((n) => `src/test/${n}`),
      outdir: dir,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      sourcemap: "inline",
      logLevel: "warning",
    });
    const files = names.map((n) => path.join(dir, n.replace(/\.ts$/, ".mjs")));
    const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
    process.exitCode = status ?? 1;
  } finally {
    await rm(dir, { recursive: true });
  }
}

await (process.argv.includes("--test") ? test() : build());
