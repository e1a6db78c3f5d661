import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";
import type { OptimizerState } from "../../models/optimizer/optimizer.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
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

/** A progress as files; weights that are best by several criteria are one file. */
export function progressFiles(progress: QuantizerProgress): Record<string, Uint8Array> {
  const { state: { step, best, seconds }, epochs, revived, paths = null, hooks, optimizer } = progress;
  const evaluations = Object.fromEntries(
    CRITERIA.map((criterion) => [criterion, progress.best[criterion].evaluation]),
  );
  const told = { step, best, seconds, epochs, revived, paths, hooks, evaluations };
  const arrays = Object.entries(optimizer).map(([name, data]) =>
    [name, { shape: [data.length], data }] as const
  );
  return {
    ...Object.fromEntries(
      CRITERIA.map((criterion) => progress.best[criterion]).map(({ evaluation, tensors }) => [
        weightsOf(evaluation),
        writeSafetensors(tensors),
      ]),
    ),
    [OPTIMIZER]: writeSafetensors(new Map(arrays)),
    [STATE]: new TextEncoder().encode(JSON.stringify(told) + "\n"),
  };
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
