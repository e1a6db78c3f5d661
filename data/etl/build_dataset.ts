import { basename, join, resolve } from "node:path";
import type { z } from "zod";
import { splits } from "../dataset.ts";
import { DATASET_JSON, DatasetJson } from "../formats/genrec/layout.ts";
import { OutputFolder, recoverOutput } from "../../base/files/output_folder.ts";
import { attempt } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { type BadLines, checkBadLines, findBadLines } from "./read/bad_lines.ts";
import type { EtlConfig, Parity } from "./config.ts";
import { Engine } from "./read/engine.ts";
import { addGprAttributes } from "./gpr.ts";
import { fingerprint, isRemote, resolveFiles } from "./read/input_files.ts";
import { type Coverage, coverageOf, defineTextFunctions, loadCatalogue, loadTitles } from "./items.ts";
import { loadReviews } from "./load_reviews.ts";
import { makeLog, numberLog } from "./log.ts";
import { type Plan, planOf } from "./plan.ts";
import { PERIOD } from "../times.ts";
import type { ReviewTable } from "./source.ts";
import { missingIdsNote } from "./missing_ids.ts";
import { decideTies, handleRepeats } from "./ties.ts";
import { makeSamples } from "./make_samples.ts";
import { day, selectLog, type Step } from "./select_log.ts";
import { sql } from "./read/sql.ts";
import { logStatistics, type Statistics } from "./statistics.ts";
import { writeTables } from "./write_tables.ts";
import type { TimeWindow } from "./time_window.ts";

/** What the `dataset.json` of a build holds. */
export interface DatasetManifest extends z.output<typeof DatasetJson> {
  /** What each step left of the reviews. */
  steps: Step[];
  statistics: Statistics;
  /** Items with a value in each optional field. */
  coverage: Coverage;
  /** Lines left out of the two kinds of input. */
  badLines: { reviews: BadLines; meta: BadLines };
  /** How times were written; absent where there are none. */
  timeForm?: string;
  /** What the user should know of the data. */
  notes: string[];
  /** Switches that were on. */
  parity: readonly Parity[];
}

/** How a build tells what it does, and how it is stopped. */
export interface BuildObserver {
  log(line: string): void;
  signal?: AbortSignal;
}

/**
 * Turns raw logs into a dataset directory, out of core: DuckDB holds `config.memory` and spills the rest beside `out`.
 * The directory appears whole or not at all. Throws `UserError` for input that makes no dataset.
 */
export async function buildDataset(config: EtlConfig, observer: BuildObserver): Promise<DatasetManifest> {
  await using output = await OutputFolder.create(config.out, await mayReplace(config));
  const work = join(output.path, "work");
  await attempt(`write ${config.out}`, () => Deno.mkdir(work));
  const manifest = await inEngine(config, work, observer, async (engine) => {
    const reviewFiles = await resolveFiles(engine, config.reviews, "--reviews");
    const metaFiles = await resolveFiles(engine, config.meta, "--meta");
    const plan = planOf(config, reviewFiles, metaFiles);
    // Hashed while DuckDB reads the same files, on a core that a gzip file leaves idle.
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, ...observer.signal ? [observer.signal] : []]);
    const inputs = hashAll([...reviewFiles, ...metaFiles], signal);
    inputs.catch(() => {}); // told where it is awaited
    try {
      return await build(engine, { config, plan, inputs, output, observer });
    } finally {
      stop.abort();
      await inputs.catch(() => {});
    }
  });
  await attempt(`write ${config.out}`, async () => {
    await Deno.remove(work, { recursive: true });
    await Deno.writeTextFile(join(output.path, DATASET_JSON), JSON.stringify(manifest, null, 2) + "\n");
    await output.publish();
  });
  return manifest;
}

interface Job {
  config: EtlConfig;
  plan: Plan;
  /** Hashes of the input files, on their way. */
  inputs: Promise<Record<string, string>>;
  output: OutputFolder;
  observer: BuildObserver;
}

async function build(
  engine: Engine,
  { config, plan, inputs, output, observer: { log } }: Job,
): Promise<DatasetManifest> {
  const { source, items, texts } = plan;
  await defineTextFunctions(engine, texts);
  const { encoding } = config;
  const reviews = await loadReviews(engine, plan.reviews.files, plan.reviews.table, encoding);
  // Before bad lines are looked for: a torn gzip file ends in one, and that is not what is wrong with it.
  const hashes = await inputs;
  const badReviews = await findBadLines(engine, reviews);
  checkBadLines(badReviews, config.maxBadLines, "reviews");
  const steps: Step[] = [await rawStep(engine)];
  log(stepLine(steps[0]));
  const titles = await loadTitles(engine, items, texts);
  steps.push(...await makeLog(engine, steps[0].reviews));
  const missing = await missingIdsNote(engine);
  const repeats = await handleRepeats(engine, config.dropRepeats);
  steps.push(...repeats.steps);
  for (const step of steps.slice(1)) log(stepLine(step));
  const selected = await selectLog(engine, plan.selection, (step) => log(stepLine(step)));
  steps.push(...selected.steps);
  const ties = await decideTies(engine, plan.ties);
  await numberLog(engine, ties);
  await loadCatalogue(engine, items, titles.raw);
  const coverage = await coverageOf(engine);
  await engine.run(sql`CREATE TABLE user_table AS
    SELECT number AS "user", id, CAST(NULL AS VARCHAR) AS attributes FROM users ORDER BY number`);
  if (config.gpr) await addGprAttributes(engine);
  await makeSamples(engine, plan.split, config.maxHistory);
  const statistics = await logStatistics(engine);
  checkSplits(statistics, config.allowEmpty);

  const { force: _force, out: _out, ...settings } = config;
  return {
    format: "genrec-dataset",
    version: 1,
    name: config.name || basename(resolve(config.out)),
    source: source.source,
    license: source.license,
    split: config.split,
    maxHistory: config.maxHistory,
    settings: { ...settings, titleFilter: texts.filter, start: startDay(selected.window) },
    inputs: hashes,
    files: await writeTables(engine, output.path),
    steps,
    statistics,
    coverage,
    badLines: { reviews: badReviews, meta: titles.bad },
    ...reviews.timeForm !== undefined && { timeForm: reviews.timeForm },
    notes: [
      ...timeNotes(plan.reviews.table, reviews.timeForm, statistics),
      ...[titles.note, missing, repeats.note, ties.note].filter((note) => note !== undefined),
    ],
    parity: config.parity,
  };
}

/** Whether a dataset of ours is there and `force` says that it may go. */
async function mayReplace({ out, force }: EtlConfig): Promise<boolean> {
  await recoverOutput(out);
  const manifest = await Deno.readTextFile(join(out, DATASET_JSON)).then(JSON.parse).catch(() => undefined);
  const isDataset = DatasetJson.shape.format.safeParse(manifest?.format).success;
  if (!isDataset || force) return isDataset;
  throw new UserError(
    `Cannot write ${out}: it holds a dataset. Replace it with --force, or name another --out`,
  );
}

/** Opens the engine for `use` and closes it even when that throws, so that its files can be removed. */
async function inEngine<T>(
  { memory, threads }: EtlConfig,
  folder: string,
  { signal }: BuildObserver,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const options = { folder, memory, threads: threads || navigator.hardwareConcurrency, signal };
  using engine = await Engine.open(options);
  return await use(engine);
}

/** The window's first day as it is after expansion. */
function startDay({ start }: TimeWindow): string {
  return start === null ? "" : day(start);
}

async function hashAll(files: readonly string[], signal: AbortSignal): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const file of files) hashes[file] = isRemote(file) ? "not hashed" : await fingerprint(file, signal);
  return hashes;
}

async function rawStep(engine: Engine): Promise<Step> {
  const good = sql`FROM reviews WHERE problem IS NULL`;
  const step = await engine.row<Omit<Step, "step" | "lost">>(sql`
    SELECT count(*) AS reviews, count(DISTINCT "user") AS users, count(DISTINCT item) AS items ${good}`);
  if (step.reviews === 0) throw new UserError(`Cannot make a dataset: the files of --reviews hold no review`);
  return { step: "read", ...step, lost: 0 };
}

/** How times were read where that was found out, and whether they can be meant. */
function timeNotes(
  { time }: ReviewTable,
  form: string | undefined,
  { period }: Pick<Statistics, "period">,
): string[] {
  if (time === undefined || form === undefined || period === undefined) return [];
  const [from, to] = [period.from, period.to].map((instant) => instant.split("T")[0]);
  const read = `times in ${time.column} read as ${form}, from ${from} to ${to}`;
  const seconds = [period.from, period.to].map((instant) => Date.parse(instant) / 1000);
  if (seconds[0] < PERIOD.from || seconds[1] > PERIOD.to) {
    return [
      `Warning: ${read}: check that they are written so (only their order and --start and --end depend on it)`,
    ];
  }
  return time.unit === "auto" || time.unit === "text" ? [read] : [];
}

function stepLine({ step, reviews, users, items }: Step): string {
  const count = (n: number) => n.toLocaleString("en");
  return `${step}: ${count(reviews)} reviews, ${count(users)} users, ${count(items)} items`;
}

function checkSplits(statistics: Statistics, allowEmpty: boolean): void {
  const { train, valid, test } = statistics;
  if (train + valid + test === 0) {
    throw new UserError(
      `Cannot make samples: no user has two interactions. Use more data, or a smaller --item-k`,
    );
  }
  const empty = splits.filter((split) => statistics[split] === 0);
  if (empty.length === 0 || (allowEmpty && train > 0)) return;
  throw new UserError(
    `Cannot split ${train + valid + test} samples: ${empty.join(" and ")} would be empty. ` +
      `Use more data or another --split${train > 0 ? ", or accept it with --allow-empty" : ""}`,
  );
}
