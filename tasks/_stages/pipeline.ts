import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "../../data/dataset.ts";
import type { Preset } from "../../train/pipeline/preset.ts";
import { RANK_FOLDER, TAUGHT_FOLDER } from "../../train/pipeline/train_folder.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { makeSids } from "../_sid/make.ts";
import { baseline, task as baselineTask } from "../baseline.ts";
import { evaluate, task as evaluateTask } from "../evaluate.ts";
import { rank, task as rankTask } from "../rank.ts";
import { rl, task as rlTask } from "../rl.ts";
import { sft, task as sftTask } from "../sft.ts";
import { task as sidTask } from "../sid.ts";
import { byHand, type PipelineStage, trainingStage } from "./stages.ts";

/** What the stages of `genrec train` share. */
export interface Pipeline {
  data: string;
  /** Folder that all stages write into. */
  out: string;
  /** Index of other SIDs than the dataset's own; "": those, or made ones. */
  sids: string;
  /** Baseline over item numbers. */
  items: string;
  seed: number;
  adapter: string;
  variant: string;
  dataset: Dataset;
  preset: Preset;
  /** Whether the ranker teaches the decoder at the end. */
  teach: boolean;
  /** SIDs that the decoder searches at a time, and items of every list. */
  beams: number;
}

/** Folders of the stages, and the files beside them. */
export function stageFiles(...names: string[]): string[] {
  return names.flatMap((name) => [name, `${name}.yaml`, `${name}.done`]);
}

const TITLES = "titles", TOGETHER = "what was bought together";

/** Folders of the folds, of as many as a preset may have. */
const FOLD_FOLDERS = ["earlier", "earlier-2"];

/** A fold of a pipeline. */
export interface FoldFolder {
  /** Within that of the pipeline. */
  folder: string;
  /** Train targets that its models leave out. */
  rows: number;
}

/** The folds that the ranker learns from, and where their models are. */
export function foldFolders({ folds, holdoutRows }: Pick<Preset, "folds" | "holdoutRows">): FoldFolder[] {
  return FOLD_FOLDERS.slice(0, folds).map((folder, i) => ({ folder, rows: (i + 1) * holdoutRows }));
}

/** Folders and files that the stages write into `out`. */
export const PARTS = stageFiles(
  ...[...FOLD_FOLDERS, "sids", "items", "decoder", RANK_FOLDER, TAUGHT_FOLDER],
  ...[RANK_FOLDER, TAUGHT_FOLDER].map(evaluationFolder),
);

/** Folder of the evaluation of what a stage made; that of the ranker stands for all. */
export function evaluationFolder(stage: string): string {
  return stage === RANK_FOLDER ? "eval-test" : `eval-test-${stage}`;
}

/** The stages of `genrec train`, each of which a command does by hand as well. */
export function pipelineStages(pipeline: Pipeline): PipelineStage[] {
  const { preset } = pipeline;
  const folds = foldFolders(preset);
  const earlier = (rows: number) => `all but the last ${rows} train targets`;
  const making = needsSids(pipeline);
  return [
    ...folds.map(({ folder, rows }) => ({
      title: `${pipeline.items} on ${earlier(rows)}`,
      run: (io: TaskIO) => itemsStage(pipeline, join(folder, "items"), rows, io),
    })),
    ...making
      ? [{
        title: `Semantic IDs of ${sidSources(pipeline).join(" and ")}`,
        run: (io: TaskIO) => makeIndex(pipeline, io),
      }]
      : [],
    ...folds.map(({ folder, rows }) => ({
      title: `A decoder on ${earlier(rows)}`,
      run: (io: TaskIO) => decoderStage(pipeline, join(folder, "decoder"), rows, io),
    })),
    { title: `${pipeline.items} on all of train`, run: (io) => itemsStage(pipeline, "items", 0, io) },
    { title: "A decoder on all of train", run: (io) => decoderStage(pipeline, "decoder", 0, io) },
    {
      title: `A ranker of what they list, which learns from the ${
        folds.at(-1)!.rows
      } targets that they had not seen`,
      run: (io) => rankerStage(pipeline, io),
    },
    ...pipeline.teach
      ? [{
        title: "The decoder learns the order of the ranker, for answers without it",
        run: (io: TaskIO) => taughtStage(pipeline, io),
      }]
      : [],
    { title: "Evaluation on test, beside counts", run: (io) => test(pipeline, io) },
  ];
}

/** Whether SIDs are made: none were named, and the dataset has none. */
export function needsSids({ sids, dataset }: Pick<Pipeline, "sids" | "dataset">): boolean {
  return sids === "make" || sids === "" && dataset.sids === undefined;
}

/** What SIDs are made of, in the user's words. Titles that many items share do not tell them apart. */
export function sidSources(
  { dataset: { items }, preset }: { dataset: Pick<Dataset, "items">; preset: Pick<Preset, "sidsOfTitles"> },
): string[] {
  const titles = new Set(items.map(({ title }) => title));
  titles.delete("");
  if (titles.size < 2) return [TOGETHER];
  return preset.sidsOfTitles && titles.size > items.length / 2 ? [TITLES] : [TITLES, TOGETHER];
}

/** What every stage is told of the device. */
const deviceOf = ({ adapter, variant }: Pipeline) => ({ adapter, variant });

/** Trains the model over item numbers on all but the last `holdoutRows` train targets. */
export async function itemsStage(
  pipeline: Pipeline,
  name: string,
  holdoutRows: number,
  io: TaskIO,
): Promise<void> {
  const { data, out, items, seed, preset } = pipeline;
  const folder = join(out, name);
  const settings = { model: items, data, holdoutRows, out: folder, ...preset.items, seed };
  await trainingStage(
    "baseline",
    folder,
    settings,
    io,
    (resume) =>
      baseline(baselineTask.config.parse({ ...settings, resume, ...deviceOf(pipeline) }) as Baseline, io),
  );
}

async function makeIndex(pipeline: Pipeline, io: TaskIO): Promise<void> {
  const { data, out, seed, preset } = pipeline;
  const folder = join(out, "sids"), sources = sidSources(pipeline);
  // Of the fold that knows least: the decoder of no fold reads SIDs that were made of what it leaves out.
  const vectors = join(out, foldFolders(preset).at(-1)!.folder, "items/embeddings.npy");
  const settings = {
    data,
    ...sources.includes(TOGETHER) ? { [sources.includes(TITLES) ? "collab" : "embeddings"]: vectors } : {},
    codebookSize: preset.codebookSize,
    seed,
    out: folder,
  };
  await trainingStage(
    "sid",
    folder,
    settings,
    io,
    () => makeSids(sidTask.config.parse({ ...settings, ...deviceOf(pipeline) }) as Sid, io),
  );
}

/** Trains the decoder on all but the last `holdoutRows` train targets. */
export async function decoderStage(
  pipeline: Pipeline,
  name: string,
  holdoutRows: number,
  io: TaskIO,
): Promise<void> {
  const { data, out, seed, preset } = pipeline;
  const folder = join(out, name);
  const sids = needsSids(pipeline) ? join(out, "sids") : pipeline.sids;
  const settings = { data, sids, holdoutRows, out: folder, ...preset.decoder, seed };
  await trainingStage(
    "sft",
    folder,
    settings,
    io,
    (resume) => sft(sftTask.config.parse({ ...settings, resume, ...deviceOf(pipeline) }) as Sft, io),
  );
}

/** Trains the ranker over what decoder and model over item numbers list. */
export async function rankerStage(pipeline: Pipeline, io: TaskIO): Promise<void> {
  const { data, out, seed, beams, preset } = pipeline;
  const folder = join(out, RANK_FOLDER);
  const settings = {
    data,
    runs: ["decoder", "items"].map((name) => join(out, name)),
    foldRuns: foldFolders(preset).flatMap(({ folder }) =>
      ["decoder", "items"].map((name) => join(out, folder, name))
    ),
    listLength: beams,
    ...preset.ranker,
    out: folder,
    seed,
  };
  await trainingStage(
    "rank",
    folder,
    settings,
    io,
    (resume) => rank(rankTask.config.parse({ ...settings, resume, ...deviceOf(pipeline) }) as Rank, io),
  );
}

/** Teaches the decoder what the ranker lists for what comes after all that each user bought. */
async function taughtStage(pipeline: Pipeline, io: TaskIO): Promise<void> {
  const { data, out, seed, preset } = pipeline;
  const folder = join(out, TAUGHT_FOLDER);
  const settings = {
    run: join(out, "decoder"),
    data,
    ...preset.taught,
    collaborative: [join(out, RANK_FOLDER)],
    out: folder,
    seed,
  };
  await trainingStage(
    "rl",
    folder,
    settings,
    io,
    (resume) => rl(rlTask.config.parse({ ...settings, resume, ...deviceOf(pipeline) }) as Rl, io),
  );
}

async function test(pipeline: Pipeline, io: TaskIO): Promise<void> {
  const { data, out, beams, teach } = pipeline;
  for (const stage of [RANK_FOLDER, ...teach ? [TAUGHT_FOLDER] : []]) {
    const baselines = stage === RANK_FOLDER; // counts are the same beside both
    const folder = join(out, evaluationFolder(stage)), run = join(out, stage);
    const named = baselines ? out : run, extra = baselines ? " --baselines" : "";
    byHand(io, `evaluate --run ${named} --data ${data} --beams ${beams}${extra} --out ${folder}`);
    if (existsSync(join(folder, "metrics.json"))) {
      io.log(`Already in ${folder}`);
      continue;
    }
    const flags = { run, data, out: folder, beams, baselines, resume: true, ...deviceOf(pipeline) };
    await evaluate(evaluateTask.config.parse(flags) as Evaluate, io);
    if (io.signal.aborted) return;
  }
}

type Baseline = Parameters<typeof baseline>[0];
type Sid = Parameters<typeof makeSids>[0];
type Sft = Parameters<typeof sft>[0];
type Rl = Parameters<typeof rl>[0];
type Rank = Parameters<typeof rank>[0];
type Evaluate = Parameters<typeof evaluate>[0];
