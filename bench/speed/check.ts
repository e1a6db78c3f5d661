/**
 * `genrec data --check` on datasets of many sizes, which DuckDB generates: time and peak memory by the number of
 * interactions. On Linux:
 *
 *     deno run -A bench/speed/check.ts [--interactions 200000,1000000,10000000] [--folder DIR] [--out docs/benchmarks]
 *
 * Users have 4 to 28 purchases, items are drawn by a power law; leave-one-out, histories of up to 50 items. Prints a
 * table and writes nothing that stays, but datasets in --folder, which the next run uses again.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sha256 } from "../../base/files/sha256.ts";
import { splits } from "../../data/dataset.ts";
import { Engine } from "../../data/etl/read/engine.ts";
import { type Sql, sql } from "../../data/etl/read/sql.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { exists } from "../results/command.ts";
import { processUsage } from "./process_usage.ts";

const { values } = parseArgs({
  options: {
    interactions: { type: "string", default: "200000,1000000,10000000" },
    folder: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});

/** Purchases of a user in the mean. */
const PURCHASES = 16;
const MOST_HISTORY = 50;

/** Writes a dataset of about so many interactions. */
async function generate(folder: string, interactions: number): Promise<void> {
  const users = Math.round(interactions / PURCHASES), items = Math.round(interactions / 20);
  const work = await Deno.makeTempDir();
  try {
    await Deno.mkdir(folder, { recursive: true });
    using engine = await Engine.open({ folder: work, memory: "1GB", threads: 2 });
    const share = (seed: number) => sql`((hash(u * 1000 + place + ${seed}) % 1000003) / 1000003.0)`;
    await engine.run(sql`CREATE TABLE sequences AS
      SELECT u::INTEGER AS "user",
        list_transform(places, place ->
          least(floor(${items} * pow(${share(7)}, 2)), ${items - 1})::INTEGER) AS items,
        list_transform(places, place -> 1500000000 + place * 86400 + floor(${
      share(11)
    } * 80000)::BIGINT) AS times
      FROM (SELECT u, range(4 + (hash(u) % 25)::BIGINT) AS places FROM range(${users}) AS r(u))`);
    const samples = (first: Sql, last: Sql) =>
      sql`SELECT "user", list_slice(items, greatest(1, place - ${MOST_HISTORY - 1}), place) AS history,
        items[place + 1] AS item, times[place + 1] AS time, NULL::VARCHAR AS attributes
      FROM (SELECT *, unnest(range(${first}, ${last})) AS place FROM sequences)`;
    const tables: Record<string, Sql> = {
      items:
        sql`SELECT i::INTEGER AS item, 'B' || i AS id, 'Masking tape no. ' || i AS title, NULL::VARCHAR AS description,
        'Acme' AS brand, ['Tools', 'Tape'] AS categories, 9.5::DOUBLE AS price, NULL::VARCHAR AS features,
        NULL::VARCHAR AS attributes FROM range(${items}) AS r(i)`,
      users:
        sql`SELECT u::INTEGER AS "user", 'A' || u AS id, NULL::VARCHAR AS attributes FROM range(${users}) AS r(u)`,
      interactions:
        sql`SELECT "user", unnest(items) AS item, unnest(times) AS time, 5::DOUBLE AS rating FROM sequences`,
      train: samples(sql`1`, sql`len(items) - 2`),
      valid: samples(sql`len(items) - 2`, sql`len(items) - 1`),
      test: samples(sql`len(items) - 1`, sql`len(items)`),
    };
    const files: Record<string, string> = {};
    for (const name of ["items", "users", "interactions", ...splits]) {
      const file = `${name}.parquet`;
      await engine.run(
        sql`COPY (${tables[name]}) TO ${join(folder, file)} (FORMAT parquet, COMPRESSION snappy)`,
      );
      files[file] = await sha256(join(folder, file));
    }
    const manifest = {
      format: "genrec-dataset",
      version: 1,
      name: `generated-${interactions}`,
      source: "bench/speed/check.ts",
      license: "none",
      split: "leave-one-out",
      maxHistory: MOST_HISTORY,
      files,
    };
    await Deno.writeTextFile(join(folder, "dataset.json"), JSON.stringify(manifest));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Checks a dataset in a process of its own. */
async function check(folder: string) {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "tasks/main.ts", "data", "--check", folder, "--json"],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let used = { peak: 0, cpu: 0 };
  const watch = setInterval(() => used = processUsage(child.pid) ?? used, 50);
  const { success, stdout } = await child.output();
  clearInterval(watch);
  if (!success) throw new Error(`genrec data --check ${folder} failed`);
  const { dataset: { statistics } } = JSON.parse(new TextDecoder().decode(stdout));
  return { seconds: (performance.now() - started) / 1000, ...used, statistics };
}

const folder = values.folder || await Deno.makeTempDir({ prefix: "genrec-bench-check-" });
try {
  const number = (value: number) => Math.round(value).toLocaleString("en");
  const rows: string[][] = [];
  for (const interactions of values.interactions.split(",").map(Number)) {
    const dataset = join(folder, String(interactions));
    if (!await exists(join(dataset, "dataset.json"))) await generate(dataset, interactions);
    const { seconds, peak, cpu, statistics } = await check(dataset);
    rows.push([
      number(statistics.interactions),
      number(statistics.items),
      number(statistics.train + statistics.valid + statistics.test),
      `${seconds.toFixed(1)} s`,
      `${cpu.toFixed(1)} s`,
      `${number(peak / 2 ** 20)} MiB`,
    ]);
  }
  const table = textTable(
    ["interactions", "items", "samples", "time", "processor time", "peak memory of the process"],
    rows,
  );
  console.log(tableText(table));
  await writeOut(values.out, "data", {
    check: { command: [commandLine("bench/speed/check.ts")], ...await conditionsNow(), tables: [table] },
  });
} finally {
  if (!values.folder) await Deno.remove(folder, { recursive: true });
}
