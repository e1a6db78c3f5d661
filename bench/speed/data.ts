/**
 * `genrec data` on a generated log: 10 million Amazon-2018-like reviews through the title filter, the 5-core, the global
 * chronological split and Parquet. Making the log is not timed. Run on a quiet machine, on Linux:
 *
 *     deno run -A bench/speed/data.ts [--reviews 10000000] [--seed 42] [--memory 1GB] [--threads 2] [--folder DIR]
 *         [--out docs/benchmarks]
 *
 * Prints a table and writes nothing that stays, but a log in --folder, which the next run with the same flags uses again.
 */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import type { DatasetManifest } from "../../data/etl/build_dataset.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { exists } from "../results/command.ts";
import { processUsage } from "./process_usage.ts";

const { values } = parseArgs({
  options: {
    reviews: { type: "string", default: "10000000" },
    seed: { type: "string", default: "42" },
    memory: { type: "string", default: "1GB" },
    threads: { type: "string", default: "2" },
    folder: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});
const [count, seed] = [Number(values.reviews), Number(values.seed)];
const { memory, threads } = values;

/** Users and items are drawn by rank r with probability ∝ r^-s: many users with few reviews, few items with many. */
const USERS = { ranks: count / 5, exponent: 0.6 };
const ITEMS = { ranks: count / 20, exponent: 0.9 };
const FIRST_TIME = 1.2e9;
const SPAN = 3.4e8;

/** A rank from 1, by inverting the continuous distribution. */
function powerLaw(uniform: number, { ranks, exponent }: { ranks: number; exponent: number }): number {
  const power = 1 - exponent;
  return Math.floor((uniform * (ranks ** power - 1) + 1) ** (1 / power));
}

function* reviewLines(): Generator<string> {
  const random = new PhiloxStream(seed, "bench data reviews");
  const text = "works as it should and looks as in the picture, would buy it again for the price, ".repeat(8);
  for (let n = 0; n < count; n++) {
    const user = `A${String(powerLaw(random.uniform(), USERS)).padStart(13, "0")}`;
    const item = `B${String(powerLaw(random.uniform(), ITEMS)).padStart(9, "0")}`;
    const word = random.uint32();
    const time = FIRST_TIME + Math.floor(random.uniform() * SPAN);
    const start = word % 80;
    yield `{"overall":${1 + word % 5}.0,"verified":true,"reviewerID":"${user}","asin":"${item}",` +
      `"reviewText":"${
        text.slice(start, start + 20 + (word >>> 8) % 400)
      }","summary":"ok","unixReviewTime":${time}}\n`;
  }
}

function* itemLines(): Generator<string> {
  for (let rank = 1; rank <= ITEMS.ranks; rank++) {
    yield `{"asin":"B${
      String(rank).padStart(9, "0")
    }","title":"Masking tape &amp; glue no. ${rank}","brand":"Acme",` +
      `"description":["Sticky on both sides.","Comes on a roll."],"category":["Tools","Tape"],"price":"$${
        rank % 90
      }.50"}\n`;
  }
}

/** Writes gzip lines under a temporary name first. */
async function writeLines(path: string, lines: Iterable<string>): Promise<void> {
  const gzip = createGzip({ level: 1 });
  const file = gzip.pipe(createWriteStream(`${path}.tmp`));
  let held = "";
  for (const line of lines) {
    held += line;
    if (held.length < 1 << 20) continue;
    if (!gzip.write(held)) await new Promise((drained) => gzip.once("drain", drained));
    held = "";
  }
  gzip.end(held);
  await finished(file);
  await Deno.rename(`${path}.tmp`, path);
}

/** Runs `genrec data` and watches what it uses. */
async function measure(reviews: string, meta: string, out: string) {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "tasks/main.ts",
      "data",
      "--dataset",
      "amazon18",
      "--reviews",
      reviews,
      "--meta",
      meta,
    ].concat(
      ["--memory", memory, "--threads", threads, "--out", out, "--json"],
    ),
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let used = { peak: 0, cpu: 0 };
  const watch = setInterval(() => used = processUsage(child.pid) ?? used, 100);
  const { success, stdout } = await child.output();
  clearInterval(watch);
  if (!success) throw new Error("genrec data failed");
  const manifest: DatasetManifest = JSON.parse(new TextDecoder().decode(stdout));
  return { seconds: (performance.now() - started) / 1000, ...used, manifest };
}

const folder = values.folder || await Deno.makeTempDir({ prefix: "genrec-bench-data-" });
try {
  await Deno.mkdir(folder, { recursive: true });
  const reviews = join(folder, `reviews-${count}-${seed}.json.gz`);
  const meta = join(folder, `meta-${count}-${seed}.json.gz`);
  if (!await exists(reviews)) await writeLines(reviews, reviewLines());
  if (!await exists(meta)) await writeLines(meta, itemLines());
  const out = await Deno.makeTempDir({ dir: folder });
  const { seconds, peak, cpu, manifest } = await measure(reviews, meta, out);
  await Deno.remove(out, { recursive: true });
  const { steps, statistics } = manifest;
  const core = steps.at(-1)!;
  const number = (value: number) => Math.round(value).toLocaleString("en");
  const rows = [
    [
      "input",
      `${number(steps[0].reviews)} reviews, ${
        number((await Deno.stat(reviews)).size / 1e6)
      } MB of gzip, seed ${seed}`,
    ],
    ["5-core", `${number(core.reviews)} reviews, ${number(core.users)} users, ${number(core.items)} items`],
    [
      "samples",
      `${number(statistics.train)} train, ${number(statistics.valid)} valid, ${number(statistics.test)} test`,
    ],
    ["time", `${seconds.toFixed(1)} s, ${number(count / seconds)} reviews a second, ${threads} threads`],
    ["processor time", `${cpu.toFixed(1)} s over all threads`],
    ["peak memory", `${number(peak / 2 ** 20)} MiB of the process, DuckDB limited to ${memory}`],
  ];
  const table = textTable(["what", "value"], rows);
  console.log(tableText(table));
  await writeOut(values.out, "data", {
    preparation: {
      command: [commandLine("bench/speed/data.ts")],
      ...await conditionsNow(),
      seeds: [seed],
      tables: [table],
    },
  });
} finally {
  if (!values.folder) await Deno.remove(folder, { recursive: true });
}
