import type { z } from "zod";
import { count, decay, seed } from "../../base/fields.ts";
import {
  adamBetas,
  emaDecay,
  learningRate,
  lrSchedulerType,
  maxGradNorm,
  warmupSteps,
  weightDecay,
  zeroStage,
} from "../../models/optimizer/fields.ts";
import { patience } from "./fields.ts";

/** Defaults of a training by epochs. */
interface Usual {
  dropout: number;
  numTrainEpochs: number;
  learningRate: number;
  warmupSteps: number;
  weightDecay: number;
}

/** Fields of all trainings by epochs, with the defaults of one; names as in Hugging Face's TrainingArguments. */
export const epochFields = (usual: Usual) => ({
  lrSchedulerType,
  ...adamBetas,
  maxGradNorm: maxGradNorm(1),
  zeroStage,
  emaDecay: emaDecay(0),
  seed,
  dropout: decay.default(usual.dropout).describe("dropout rate"),
  numTrainEpochs: count().default(usual.numTrainEpochs).describe("passes over the train split"),
  learningRate: learningRate(usual.learningRate),
  warmupSteps: warmupSteps(usual.warmupSteps),
  weightDecay: weightDecay(usual.weightDecay),
  patience: patience(5),
});

/** How all trainings by epochs go. */
export type EpochConfig = z.output<z.ZodObject<ReturnType<typeof epochFields>>>;
