import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";
import type { SavedFile } from "../../models/hugging_face/saved_file.ts";
import type { Optimizer, OptimizerState } from "../../models/optimizer/optimizer.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { readSafetensors, safetensorsPieces, type TensorPart } from "../../models/safetensors/safetensors.ts";
import type { TrainingState } from "../../models/training/state.ts";
import { CRITERIA, type Criterion } from "./config.ts";
import type { QuantizerEvaluation } from "./evaluation.ts";

/** An evaluation, and the weights that it was of. */
export interface Kept {
  evaluation: QuantizerEvaluation;
  tensors: TensorMap;
}

/** All that a quantiser's training goes on from, at an evaluation: everything else follows from seed and epoch. */
export interface QuantizerProgress {
  state: TrainingState;
  /** Epochs trained. */
  epochs: number;
  /** Codewords moved so far. */
  revived: number;
  /** Codes of every item at the evaluation, where the next batches are made by them. */
  paths: string[] | undefined;
  /** What the losses of the method's own go on from: see `QuantizerHooks.state`. */
  hooks: number[][];
  /** The best so far by each criterion. */
  best: Record<Criterion, Kept>;
  /** Weights and moments. */
  optimizer: OptimizerState;
}

const count = z.int().min(0);
const Evaluation: z.ZodType<QuantizerEvaluation> = z.strictObject({
  epoch: count,
  loss: z.number(),
  reconstruction: z.number(),
  collisionRate: z.number(),
  gini: z.number(),
  usage: z.array(z.number()),
  unseen: z.strictObject({ items: count, reconstruction: z.number(), collisionRate: z.number() }).optional(),
});
const State = z.strictObject({
  step: count,
  best: z.strictObject({ score: z.number(), step: count, stale: count }).nullable(),
  seconds: z.number(),
  epochs: count,
  revived: count,
  paths: z.array(z.string()).nullable(),
  hooks: z.array(z.array(z.number())),
  evaluations: z.strictObject(
    Object.fromEntries(CRITERIA.map((criterion) => [criterion, Evaluation])) as Record<
      Criterion,
      typeof Evaluation
    >,
  ),
});

const STATE = "state.json", OPTIMIZER = "optimizer.safetensors";
const weightsOf = ({ epoch }: QuantizerEvaluation) => `epoch-${epoch}.safetensors`;

/** A progress that is to be written: weights and moments are read from the device part after part. */
export type WrittenProgress = Omit<QuantizerProgress, "optimizer"> & { optimizer: Optimizer };

/**
 * A progress as files, of which memory holds one part of a tensor at a time; weights that are best by several criteria are
 * one file.
 */
export async function* progressFiles(progress: WrittenProgress): AsyncGenerator<SavedFile> {
  const { state: { step, best, seconds }, epochs, revived, paths = null, hooks, optimizer } = progress;
  const evaluations = Object.fromEntries(
    CRITERIA.map((criterion) => [criterion, progress.best[criterion].evaluation]),
  );
  const told = { step, best, seconds, epochs, revived, paths, hooks, evaluations };
  const kept = new Map(
    CRITERIA.map((criterion) => progress.best[criterion]).map(({ evaluation, tensors }) =>
      [weightsOf(evaluation), tensors] as const
    ),
  );
  for (const [name, tensors] of kept) {
    const shapes = [...tensors].map(([name, { shape }]) => ({ name, shape }));
    yield { name, bytes: safetensorsPieces(shapes, partsOf(tensors)) };
  }
  const { shapes, parts } = await optimizer.readState();
  yield { name: OPTIMIZER, bytes: safetensorsPieces(shapes, parts) };
  yield { name: STATE, bytes: new TextEncoder().encode(JSON.stringify(told) + "\n") };
}

/** Tensors as parts, asynchronous as those that have to be read. */
async function* partsOf(tensors: TensorMap): AsyncGenerator<TensorPart> {
  for (const [name, { data }] of tensors) yield { name, data };
}

/** Reads {@link progressFiles}. Throws {@link UserError} for files that are damaged, naming `folder`. */
export async function readProgress(
  folder: string,
  read: (path: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<QuantizerProgress> {
  const path = `${folder}/${STATE}`;
  const told = parseJson(new TextDecoder().decode(await read(path)), path, State);
  const tensors = async (name: string) => {
    const path = `${folder}/${name}`;
    const found = readSafetensors(await read(path), path);
    for (const [name, { data }] of found) {
      if (data.every(Number.isFinite)) continue;
      throw new UserError(
        `Cannot go on from ${path}: ${name} has numbers that are not finite. Start anew in another folder`,
      );
    }
    return new Map([...found].map(([name, { shape, data }]) => [name, { shape, data }]));
  };
  const best: Partial<Record<Criterion, Kept>> = {};
  for (const criterion of CRITERIA) {
    const evaluation = told.evaluations[criterion];
    const same = Object.values(best).find((kept) => kept.evaluation.epoch === evaluation.epoch);
    best[criterion] = { evaluation, tensors: same?.tensors ?? await tensors(weightsOf(evaluation)) };
  }
  const { step, best: validated, seconds, epochs, revived, hooks } = told;
  return {
    state: { step, best: validated, seconds, validationDue: false },
    epochs,
    revived,
    paths: told.paths ?? undefined,
    hooks,
    best: best as Record<Criterion, Kept>,
    optimizer: Object.fromEntries([...await tensors(OPTIMIZER)].map(([name, { data }]) => [name, data])),
  };
}
