import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { wordsOf } from "../../base/words.ts";
import { untitled } from "../../data/corpus_dataset.ts";
import type { Dataset } from "../../data/dataset.ts";
import { type Preset, sidPresetFor } from "../../train/pipeline/preset.ts";
import { RANK_FOLDER, TAUGHT_FOLDER } from "../../train/pipeline/train_folder.ts";
import { makeSids } from "../_sid/make.ts";
import { baseline, task as baselineTask } from "../baseline.ts";
import { embedItems, task as embedTask } from "../embed.ts";
import { evaluate, task as evaluateTask } from "../evaluate.ts";
import { rank, task as rankTask } from "../rank.ts";
import { rl, task as rlTask } from "../rl.ts";
import { sft, task as sftTask } from "../sft.ts";
import { task as sidTask } from "../sid.ts";
import { byHand, type PipelineStage, type StageIO, trainingStage } from "./stages.ts";

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

/** What SIDs are made of, in the user's words. */
type SidSource = "texts" | "what was bought together";

/** Folder of the vectors that SIDs are made of. */
const VECTORS = "vectors";

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
  ...[...FOLD_FOLDERS, VECTORS, "sids", "items", "decoder", RANK_FOLDER, TAUGHT_FOLDER],
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
  const whole: FoldFolder = { folder: "", rows: 0 };
  const known = (rows: number) => rows === 0 ? "all of train" : `all but the last ${rows} train targets`;
  const making = needsSids(pipeline);
  return [
    ...[...folds, whole].flatMap(({ folder, rows }) => [
      ...making
        ? [{
          title: `Semantic IDs of ${sidSources(pipeline.dataset).join(" and ")}, for a decoder on ${
            known(rows)
          }`,
          run: (io: StageIO) => sidStage(pipeline, folder, rows, io),
        }]
        : [],
      {
        title: `${pipeline.items} on ${known(rows)}`,
        run: (io: StageIO) => itemsStage(pipeline, join(folder, "items"), rows, io),
      },
      {
        title: `A decoder on ${known(rows)}`,
        run: (io: StageIO) => decoderStage(pipeline, join(folder, "decoder"), rows, io),
      },
    ]),
    {
      title: `A ranker of what they list, which learns from the ${
        folds.at(-1)!.rows
      } targets that they had not seen`,
      run: (io) => rankerStage(pipeline, io),
    },
    ...pipeline.teach
      ? [{
        title: "The decoder learns the order of the ranker, for answers without it",
        run: (io: StageIO) => taughtStage(pipeline, io),
      }]
      : [],
    { title: "Evaluation on test, beside counts", run: (io) => test(pipeline, io) },
  ];
}

/**
 * Whether SIDs are made: none were named, and the dataset has none, or texts of which better ones can be made. Without
 * texts an index of the dataset may know more of its items than purchases tell.
 */
export function needsSids({ sids, dataset }: Pick<Pipeline, "sids" | "dataset">): boolean {
  return sids === "make" ||
    sids === "" && (dataset.sids === undefined || sidSources(dataset).includes("texts"));
}

/** What SIDs of these items can be made of: texts that differ and share words, items that follow one another. */
export function sidSources({ items, histories }: Pick<Dataset, "items" | "histories">): SidSource[] {
  const together = histories.some(({ items }) => items.some((item) => item !== items[0]));
  return [
    ...haveTexts(items) ? ["texts" as const] : [],
    ...together ? ["what was bought together" as const] : [],
  ];
}

/** Whether two items have different texts, and two have a word in common: seen after a few items, as a rule. */
function haveTexts(items: Dataset["items"]): boolean {
  const known = new Set<string>();
  let first: string | undefined, differ = false, share = false;
  for (const [number, { title, description = "" }] of items.entries()) {
    const text = `${title === untitled(number) ? "" : title}\n${description}`;
    first ??= text;
    differ ||= text !== first;
    if (!share) {
      const words = new Set(wordsOf(text));
      share = !known.isDisjointFrom(words);
      for (const word of words) known.add(word);
    }
    if (differ && share) return true;
  }
  return false;
}

/** What every stage is told of the device. */
const deviceOf = ({ adapter, variant }: Pipeline) => ({ adapter, variant });

/** Trains the model over item numbers on all but the last `holdoutRows` train targets. */
export async function itemsStage(
  pipeline: Pipeline,
  name: string,
  holdoutRows: number,
  io: StageIO,
): Promise<void> {
  const { data, out, items, seed, preset } = pipeline;
  const folder = join(out, name);
  const settings = { model: items, data, holdoutRows, out: folder, ...preset.items, seed };
  await trainingStage(
    baselineTask,
    folder,
    settings,
    io,
    (config, io, resume) => baseline({ ...config, resume, ...deviceOf(pipeline) } as Baseline, io),
  );
}

/** Makes SIDs for the decoder that does not know the last `holdoutRows` train targets: of what it may know. */
async function sidStage(pipeline: Pipeline, name: string, holdoutRows: number, io: StageIO): Promise<void> {
  const { data, out, seed, dataset } = pipeline;
  const { codebookSize, dim, maxCharacters } = sidPresetFor(dataset.items.length);
  const vectors: Record<SidSource, { file: string; how: Record<string, unknown> }> = {
    "texts": {
      file: join(out, VECTORS, "texts.npy"),
      how: { provider: "static", dim, maxCharacters },
    },
    "what was bought together": {
      file: join(out, name, VECTORS, "bought.npy"),
      how: { provider: "collaborative", dim, holdoutRows },
    },
  };
  const sources = sidSources(dataset).map((source) => vectors[source]);
  for (const { file, how } of sources) {
    await vectorStage(pipeline, file, how, io);
    if (io.signal.aborted) return;
  }
  const folder = join(out, name, "sids");
  const [embeddings, collab] = sources.map(({ file }) => file);
  const settings = { data, embeddings, ...collab && { collab }, codebookSize, seed, out: folder };
  await trainingStage(
    sidTask,
    folder,
    settings,
    io,
    (config, io) => makeSids({ ...config, ...deviceOf(pipeline) } as Sid, io),
    { instead: "name SIDs that `genrec sid` made with --sids, in another --out" },
  );
}

/** Vectors of all items, into a file. */
async function vectorStage(
  pipeline: Pipeline,
  file: string,
  how: Record<string, unknown>,
  io: StageIO,
): Promise<void> {
  const settings = { data: pipeline.data, ...how, seed: pipeline.seed, out: file };
  await trainingStage(
    embedTask,
    file,
    settings,
    io,
    (config, io) => embedItems({ ...config, ...deviceOf(pipeline) } as Embed, io),
  );
}

/** Trains the decoder on all but the last `holdoutRows` train targets. */
export async function decoderStage(
  pipeline: Pipeline,
  name: string,
  holdoutRows: number,
  io: StageIO,
): Promise<void> {
  const { data, out, seed, preset } = pipeline;
  const folder = join(out, name);
  const sids = needsSids(pipeline) ? join(dirname(folder), "sids") : pipeline.sids;
  const settings = { data, sids, holdoutRows, out: folder, ...preset.decoder, seed };
  await trainingStage(
    sftTask,
    folder,
    settings,
    io,
    (config, io, resume) => sft({ ...config, resume, ...deviceOf(pipeline) } as Sft, io),
  );
}

/** Trains the ranker over what decoder and model over item numbers list. */
export async function rankerStage(pipeline: Pipeline, io: StageIO): Promise<void> {
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
    rankTask,
    folder,
    settings,
    io,
    (config, io, resume) => rank({ ...config, resume, ...deviceOf(pipeline) } as Rank, io),
  );
}

/** Teaches the decoder what the ranker lists for what comes after all that each user bought. */
async function taughtStage(pipeline: Pipeline, io: StageIO): Promise<void> {
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
    rlTask,
    folder,
    settings,
    io,
    (config, io, resume) => rl({ ...config, resume, ...deviceOf(pipeline) } as Rl, io),
  );
}

async function test(pipeline: Pipeline, io: StageIO): Promise<void> {
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

type Embed = Parameters<typeof embedItems>[0];
type Baseline = Parameters<typeof baseline>[0];
type Sid = Parameters<typeof makeSids>[0];
type Sft = Parameters<typeof sft>[0];
type Rl = Parameters<typeof rl>[0];
type Rank = Parameters<typeof rank>[0];
type Evaluate = Parameters<typeof evaluate>[0];
