import { z } from "zod";
import { type ScheduleName, SCHEDULES } from "../../models/optimizer/schedule.ts";

/** How all trainings by epochs go; names as in Hugging Face's TrainingArguments. */
export interface EpochConfig {
  /** Dropout rate. */
  dropout: number;
  /** Passes over the train split. */
  numTrainEpochs: number;
  /** Peak learning rate. */
  learningRate: number;
  /** Decay of the learning rate after warmup. */
  lrSchedulerType: ScheduleName;
  /** Optimizer steps of linear warmup. */
  warmupSteps: number;
  /** Decoupled weight decay, on matrices only. */
  weightDecay: number;
  /** AdamW's decay of the mean gradient. */
  adamBeta1: number;
  /** AdamW's decay of the mean squared gradient. */
  adamBeta2: number;
  /** Largest global gradient norm; 0 never clips. */
  maxGradNorm: number;
  /** Decay of the averaged weights, which are validated and saved; 0 keeps none. */
  emaDecay: number;
  /** Validations without a better one to stop after; 0: never. */
  patience: number;
  /** Seed of everything random. */
  seed: number;
}

/** A number of things, at least one. */
export const size = z.int().min(1);
/** A share of a whole. */
export const share = z.number().min(0).max(1);
/** A rate or decay, below 1. */
export const decay = z.number().min(0).lt(1);

/** Fields of {@link EpochConfig} whose defaults are the same for all, with their checks and the help of their flags. */
export const epochFields = {
  lrSchedulerType: z.enum(SCHEDULES).default("cosine").describe("decay of the learning rate"),
  adamBeta1: decay.default(0.9).describe("AdamW beta 1"),
  adamBeta2: decay.default(0.999).describe("AdamW beta 2"),
  maxGradNorm: z.number().min(0).default(1).describe("largest gradient norm; 0 never clips"),
  emaDecay: decay.default(0).describe("decay of the averaged weights; 0 keeps none"),
  seed: z.int().min(0).default(42).describe("seed of everything random"),
} satisfies { [K in keyof EpochConfig]?: z.ZodType<EpochConfig[K]> };
