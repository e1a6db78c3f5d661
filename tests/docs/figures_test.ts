// Figures that pages name are those of docs/benchmarks/*.json.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readPages, renderedFiles } from "../../bench/pages/files.ts";
import { blocksIn, shownCell } from "../../bench/pages/page.ts";
import type { Pages } from "../../bench/pages/summary.ts";
import { pages, root } from "./markdown.ts";

/** Pages whose shares, such as .1532, must be measured. */
const CHECKED = ["README.md", "BENCHMARKS.md", "ROADMAP.md", "docs/evaluation.md", "docs/reinforcement.md"];
const RENDER = "Run `deno run -A bench/pages/render.ts`, or mend the JSON";

const measured = await readPages(join(root, "docs/benchmarks"));

/** Four digits after the point, as shares and their differences are written, with or without a 0 before it. */
const sharesIn = (text: string) =>
  [...text.matchAll(/(?<![\d.])0?(\.\d{4})(?!\d)/g)].map(([, share]) => share);

/** Shares of `text` that no measurement has, with their line. */
function strangers(page: string, text: string, pages: Pages): string[] {
  const known = new Set(
    Object.values(pages).flatMap((measurements) => Object.values(measurements)).flatMap(({ tables }) =>
      tables
    )
      .flatMap(({ columns, rows }) =>
        rows.flatMap((cells) => cells.map((cell, i) => shownCell(cell, columns[i])))
      )
      .flatMap(sharesIn),
  );
  return text.split("\n").flatMap((line, i) =>
    sharesIn(line).filter((share) => !known.has(share)).map((share) =>
      `${page}:${i + 1}: ${share} is in no table of docs/benchmarks/*.json`
    )
  );
}

Deno.test("shares that pages name are measured", () => {
  const all = pages();
  assert.ok(CHECKED.flatMap((page) => sharesIn(all[page])).length > 20);
  assert.deepEqual(CHECKED.flatMap((page) => strangers(page, all[page], measured)), []);
});

Deno.test("a changed digit is told with its line", () => {
  const text = "# Results\n\nHR@10 .1532, NDCG@10 .1072\n";
  assert.deepEqual(strangers("README.md", text, measured), []);
  assert.deepEqual(strangers("README.md", text.replace(".1532", ".1523"), measured), [
    "README.md:3: .1523 is in no table of docs/benchmarks/*.json",
  ]);
});

Deno.test("pages, summaries and the picture are what the JSON makes", async () => {
  for (const [path, content] of Object.entries(await renderedFiles(root))) {
    const lines = readFileSync(join(root, path), "utf8").split("\n");
    const line = content.split("\n").findIndex((line, i) => line !== lines[i]);
    assert.equal(
      content.split("\n")[line],
      lines[line],
      `${path}:${line + 1} is not what docs/benchmarks/*.json makes. ${RENDER}`,
    );
    assert.equal(lines.length, content.split("\n").length, `${path} has lines that nothing makes. ${RENDER}`);
  }
});

Deno.test("every table of a page with a JSON beside it stands in a block", () => {
  for (const [page, measurements] of Object.entries(measured)) {
    const text = readFileSync(join(root, "docs/benchmarks", `${page}.md`), "utf8");
    assert.deepEqual(blocksIn(text).sort(), Object.keys(measurements).sort(), page);
    const outside = text.replace(/<!-- measured: [\s\S]*?<!-- \/measured -->/g, "");
    assert.doesNotMatch(outside, /^\|/m, `docs/benchmarks/${page}.md has a table that is in no measurement`);
  }
});

Deno.test("a script whose command a measurement names writes a block of that name", () => {
  for (const [page, measurements] of Object.entries(measured)) {
    for (const [name, { command }] of Object.entries(measurements)) {
      for (const line of command) {
        const script = /\bbench\/\S+\.ts\b/.exec(line)?.[0];
        if (!script) continue;
        const text = readFileSync(join(root, script), "utf8");
        const chosen = /--block (\S+)/.exec(line)?.[1] ?? /\bblock: \{ .*default: "([^"]+)"/.exec(text)?.[1];
        const [begin] = name.split("-");
        const writes = chosen === name || !chosen &&
            new RegExp(`"${name}"|\\b${name}: \\{|\`${begin}-\\$\\{`).test(text);
        assert.ok(writes, `${script} does not write the block ${name} of ${page}: ${line}`);
      }
    }
  }
});

Deno.test("documents are short, and no folder of docs is full", () => {
  for (const [path, most] of [["README.md", 7], ["BENCHMARKS.md", 5], ["ROADMAP.md", 5]] as const) {
    const bytes = readFileSync(join(root, path)).length;
    assert.ok(bytes <= most * 1024, `${path} has ${bytes} bytes, at most ${most} KB: move words to docs/`);
  }
  for (const folder of ["docs", "docs/benchmarks"]) {
    const files = readdirSync(join(root, folder)).length;
    assert.ok(files <= 17, `${folder}/ has ${files} files, at most 17: make a folder of a subject`);
  }
});
