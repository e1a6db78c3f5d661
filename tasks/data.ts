import { z } from "zod";
import { SHOWN } from "../data/etl/read/bad_line.ts";
import type { BadLines } from "../data/etl/read/bad_lines.ts";
import { checkWatched } from "../data/check/check.ts";
import { MOST_PROBLEMS } from "../data/check/stream.ts";
import { checkBytes } from "../data/cost/memory.ts";
import { buildDataset } from "../data/etl/build_dataset.ts";
import { EtlConfig } from "../data/etl/config.ts";
import { findFormat } from "../data/formats/load.ts";
import { UserError } from "../base/user_error.ts";
import { VERSION } from "../train/version.generated.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { memoryLimitFlag, tellPlanned } from "./_data/planned_memory.ts";
import { withProgress } from "./_cli/progress.ts";
import { statisticsRows } from "./_cli/statistics.ts";
import { tableLines } from "./_cli/table.ts";

const config = EtlConfig.extend({
  check: z.string().default("").describe(
    "instead of all else: validate this dataset, of any format, and count it",
  ),
  ...memoryLimitFlag("--check"),
}).refine(
  ({ check, dataset, reviews, out }) =>
    check !== "" || (dataset !== undefined && reviews.length > 0 && out !== ""),
  { error: "Name --dataset, --reviews and --out, or a dataset to --check" },
).refine(({ check, memoryLimit }) => check !== "" || memoryLimit === 0, {
  error: "--memory-limit is of --check. What building a dataset holds is --memory",
});
type Config = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "data",
  summary: "turn raw logs into a dataset, or check one",
  examples: [
    "data --dataset amazon18 --reviews Office_5.json.gz --meta meta_Office.json.gz --out data/office",
    "data --dataset amazon18 --reviews F --meta F --start 2016-10 --end 2018-11 --expand-window --out data/office",
    "data --dataset movielens --reviews ratings.csv --meta movies.csv --split leave-one-out --max-history 50 --out data/ml",
    "data --dataset generic --reviews 'log/*.parquet' --user who --item what --time at --title name --out data/mine",
    "data --check data/office",
  ],
  config,
  async run({ check, memoryLimit, ...flags }, io) {
    if (check === "") await build(flags, io);
    else await validate(check, memoryLimit, io);
  },
};

async function build(flags: Omit<Config, "check" | "memoryLimit">, io: TaskIO): Promise<void> {
  const manifest = await buildDataset(flags, io);
  if (io.json) return console.log(JSON.stringify(manifest, null, 2));
  const { statistics, coverage, badLines, files } = manifest;
  for (const [what, bad] of Object.entries(badLines)) printBadLines(what, bad, io);
  for (const note of manifest.notes) io.log(note.startsWith("Warning: ") ? note : `Note: ${note}`);
  for (const line of tableLines(statisticsRows(statistics), [0, 1])) io.log(line);
  const shares = Object.entries(coverage).map(([field, count]) =>
    `${field} ${share(count / statistics.items)}`
  );
  io.log(`Items with a ${shares.join(", ")}`);
  io.log(`Wrote ${["dataset.json", ...Object.keys(files)].join(", ")} in ${flags.out}`);
}

function share(part: number): string {
  return `${Math.floor(100 * part)} %`;
}

function printBadLines(what: string, { count, first }: BadLines, io: TaskIO): void {
  if (count === 0) return;
  io.log(
    `Left out ${count} bad ${count === 1 ? "line" : "lines"} of ${what}${
      count > SHOWN ? `, the first ${SHOWN}` : ""
    }:`,
  );
  for (const { place, problem } of first) io.log(`  ${place}: ${problem}`);
}

async function validate(dir: string, limit: number, io: TaskIO): Promise<void> {
  const format = await findFormat(dir);
  await tellPlanned({ work: "check", data: dir, format, bytesOf: checkBytes, limit }, io);
  const report = await checkWatched(format, dir, {
    watched: (stream) => withProgress(stream, io.progress),
    of: { "version of genrec": VERSION },
    signal: io.signal,
    log: io.log,
  });
  const { problems, problemCount, notes, dataset } = report;
  if (io.json) console.log(JSON.stringify(report, null, 2));
  else if (dataset) {
    io.log(
      `${dataset.name}, a dataset of format ${format.name}, split ${dataset.split}, histories up to ${dataset.maxHistory}`,
    );
    io.log(`Source: ${dataset.source}. License: ${dataset.license}`);
    for (const line of tableLines(statisticsRows(dataset.statistics), [0, 1])) io.log(line);
  }
  for (const note of notes) io.log(`Note: ${note}`);
  if (problemCount === 0) return io.log(`No fault found in ${dir}`);
  const shown = problemCount > MOST_PROBLEMS ? `, the first ${MOST_PROBLEMS}` : "";
  throw new UserError(
    `${dir} has ${problemCount} ${problemCount === 1 ? "fault" : "faults"}${shown}:\n  ${
      problems.join("\n  ")
    }`,
  );
}
