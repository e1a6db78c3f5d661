import { z } from "zod";
import { datasetWriter, WRITERS } from "../data/convert/by_name.ts";
import { count, seed } from "../base/fields.ts";
import { chooseSamples } from "../data/convert/choose_samples.ts";
import { notHeld } from "../data/convert/fields.ts";
import { replaceSids } from "../data/convert/replace_sids.ts";
import { DatasetFolder } from "../data/convert/dataset_folder.ts";
import { surveyed } from "../data/convert/survey.ts";
import type { CorpusParts } from "../data/corpus_parts.ts";
import { convertBytes } from "../data/cost/memory.ts";
import type { CorpusSizes } from "../data/cost/sizes.ts";
import { loadIndex, offsetCodes, TOKEN_ORDERS } from "../data/formats/index_file.ts";
import { findFormat, openCorpus } from "../data/formats/load.ts";
import { sha256 } from "../base/files/sha256.ts";
import { didYouMean } from "../base/did_you_mean.ts";
import type { DatasetWriter, RowChoice } from "../data/convert/writer.ts";
import { UserError } from "../base/user_error.ts";
import { indexPath } from "../train/run/inputs.ts";
import { VERSION } from "../train/version.generated.ts";
import type { Task } from "./_cli/cli.ts";
import { flagOf } from "./_cli/command/property.ts";
import { memoryLimitFlag, tellPlanned } from "./_data/planned_memory.ts";
import { withProgress } from "./_cli/progress.ts";

const config = z.strictObject({
  from: z.string().describe("dataset of any supported format, recognised by its files, or synthetic"),
  to: z.enum(WRITERS.map(({ name }) => name)).describe("format to write:"),
  out: z.string().describe("folder to write; it must not hold anything yet"),
  sids: z.string().default("").describe(
    "index.json, or folder with one, whose SIDs take the place of the dataset's own",
  ),
  codeOffset: z.int().min(-1).max(1).default(0).describe(
    "added to every code: 1 counts from 1 as constrained RQ-KMeans and RQ-KMeans+ do, -1 turns that back",
  ),
  tokenOrder: z.enum(TOKEN_ORDERS).default("text").describe(
    "order of new_tokens.json: text as released checkpoints have it, or number",
  ),
  keepLongestOnly: z.boolean().default(false).describe(
    "keep of each user's train samples only the one with the longest history",
  ),
  maxTrainSamples: count(0).default(0).describe("most train samples, drawn by the seed; 0: all"),
  maxValidSamples: count(0).default(0).describe("most valid samples, drawn by the seed; 0: all"),
  maxTestSamples: count(0).default(0).describe("most test samples, drawn by the seed; 0: all"),
  rowTasks: z.array(z.string()).default([]).describe(
    "mimigenrec: tasks whose rows are written, such as next-item or titles-to-sid; none: all",
  ),
  titleHistories: count(0).default(0).describe(
    "mimigenrec: most rows of titles-to-sid, drawn by the seed; 0: all",
  ),
  shuffle: z.boolean().default(false).describe("put train samples in an order drawn by the seed"),
  seed,
  ...memoryLimitFlag("the conversion"),
});

export const task: Task<typeof config> = {
  name: "convert",
  summary: "write a dataset in another format",
  examples: [
    "convert --from minionerec/ --to genrec --out data/industrial",
    "convert --from minionerec/ --to genrec --keep-longest-only --max-valid-samples 1000 --out data/small",
    "convert --from data/industrial --to mimigenrec --sids sids/index.json --out industrial-mimigenrec",
  ],
  config,
  async run(flags, io) {
    const { from, to, out, codeOffset, tokenOrder } = flags;
    const sids = flags.sids === "" ? "" : await indexPath(flags.sids, from);
    const writer = datasetWriter(to);
    const rows = rowChoice(flags, writer);
    const format = await findFormat(from);
    const bytesOf = (sizes: CorpusSizes) => convertBytes(sizes, to);
    await tellPlanned({ work: "convert", data: from, format, bytesOf, limit: flags.memoryLimit }, io);
    using open = await openCorpus(format, from);
    const chosen = await chooseSamples(withProgress(open.corpus, io.progress), {
      keepLongestOnly: flags.keepLongestOnly,
      most: { train: flags.maxTrainSamples, valid: flags.maxValidSamples, test: flags.maxTestSamples },
      shuffle: flags.shuffle,
      seed: flags.seed,
    });
    const { corpus: parts, dropped } = await withSids(chosen, sids, codeOffset);
    const inputs: Record<string, string> = {};
    for (const path of sids === "" ? parts.files : [...parts.files, sids]) inputs[path] = await sha256(path);
    const { out: _, memoryLimit: __, ...settings } = flags;
    await using folder = await DatasetFolder.open(out, {
      of: { "version of genrec": VERSION, ...inWords(settings), ...inputs },
      signal: io.signal,
    });
    const goesOn = goesOnLine(folder.found, parts.rows);
    if (goesOn !== undefined) io.log(goesOn);
    const corpus = surveyed(parts, (survey) => folder.value("survey", survey));
    const notCarried = [
      ...await notHeld(corpus, writer.holds, to),
      ...dropped.map((path) => `${path}, which names the SIDs before`),
      ...await writer.leftOut?.(corpus) ?? [],
      ...corpus.unread,
    ];
    const options = { tokenOrder, rows, origin: { settings: { task: "convert", ...settings }, inputs } };
    const files = await folder.write((written) => writer.files(corpus, options, written)).catch((error) => {
      if (io.signal.aborted) io.log("Stopped; the same command goes on from what is written");
      throw error;
    });
    if (io.json) console.log(JSON.stringify({ from: format.name, to, out, files, notCarried }, null, 2));
    io.log(`Wrote ${format.name} dataset ${from} as ${to}: ${files.join(", ")} in ${out}`);
    io.log(notCarried.length === 0 ? "Nothing was left out" : `Not carried: ${notCarried.join("; ")}`);
  },
};

/** Settings by the flags that they have, as text. */
function inWords(settings: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [flagOf(key), String(value)]));
}

/** What an earlier command has written, in words; undefined where that is nothing. */
function goesOnLine({ files, rows }: DatasetFolder["found"], all: CorpusParts["rows"]): string | undefined {
  const total = all?.[rows?.path.replace(/\.parquet$/, "") as keyof typeof all];
  const number = (count: number) => count.toLocaleString("en");
  const parts = [
    ...files.map(({ path }) => path),
    ...rows
      ? [`${number(rows.rows)}${total === undefined ? "" : ` of ${number(total)}`} rows of ${rows.path}`]
      : [],
  ];
  return parts.length === 0 ? undefined : `Goes on after ${parts.join(", ")}, which are written`;
}

/** Which rows the flags ask for; undefined where they say nothing. Throws `UserError` for those that a format has not. */
function rowChoice(
  { rowTasks: tasks, titleHistories, seed }: z.output<typeof config>,
  { name, rowTasks: known = [] }: DatasetWriter,
): RowChoice | undefined {
  if (tasks.length === 0 && titleHistories === 0) return undefined;
  const flag = tasks.length > 0 ? "--row-tasks" : "--title-histories";
  if (known.length === 0) {
    throw new UserError(`Cannot use ${flag} with --to ${name}: it has no rows of tasks. Leave it out`);
  }
  const other = tasks.find((task) => !known.includes(task));
  if (other === undefined) return { tasks, titleHistories, seed };
  throw new UserError(
    `Cannot write rows of task ${other} as ${name}: expected ${known.join(", ")}${didYouMean(other, known)}`,
  );
}

/** The corpus under the SIDs that the flags ask for. */
async function withSids(
  corpus: CorpusParts,
  file: string,
  codeOffset: number,
): Promise<{ corpus: CorpusParts; dropped: string[] }> {
  const own = file === "" ? corpus.sids : await loadIndex(file, corpus.sizes.items);
  if (codeOffset === 0 && file === "") return { corpus, dropped: [] };
  if (own === undefined) {
    throw new UserError(
      `Cannot shift the codes of ${corpus.name}: it has no SIDs. Name some with --sids, or leave out --code-offset`,
    );
  }
  return replaceSids(corpus, offsetCodes(own, codeOffset));
}
