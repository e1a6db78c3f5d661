import { z } from "zod";
import { decay, positive, stepsOrShare, weight } from "../../base/fields.ts";
import { OPTIM_NAMES, UPDATE_RULES } from "./rules/by_name.ts";
import { SCHEDULES } from "./schedule.ts";

/** Peak learning rate; `usual` where none is given. */
export const learningRate = (usual: number) => positive.default(usual).describe("peak learning rate");

/** Shape of the learning rate after warmup. */
export const lrSchedulerType = z.enum(SCHEDULES).default("cosine").describe("decay of the learning rate");

/** Steps before the peak. */
export const warmupSteps = (usual: number) =>
  stepsOrShare().default(usual).describe("steps of linear warmup, or a share of all such as 0.03");

/** How gradients become steps, by the names of Hugging Face's `optim`. */
export const optim = z.enum(OPTIM_NAMES).default("adamw_torch").describe(
  Object.entries(UPDATE_RULES).map(([name, { summary }]) => `${name}: ${summary}`).join("; "),
);

/** Weight decay of AdamW. */
export const weightDecay = (usual: number) =>
  weight.default(usual).describe("decoupled weight decay on matrices");

/** Largest global norm of the gradient. */
export const maxGradNorm = (usual: number) =>
  weight.default(usual).describe("largest gradient norm; 0 never clips");

/** Decays of the mean gradient and of the mean squared gradient. */
export const adamBetas = {
  adamBeta1: decay.default(0.9).describe("AdamW beta 1"),
  adamBeta2: decay.default(0.999).describe("AdamW beta 2"),
};

/** What keeps AdamW's steps finite where gradients are 0. */
export const adamEpsilon = positive.default(1e-8).describe("AdamW epsilon");

/** How much of the optimizer each of several processes keeps. */
export const zeroStage = z.int().min(0).max(1).default(0).describe(
  "1: each process keeps a share of the optimizer's moments (ZeRO); 0: all of them",
);

/** Decay of the averaged weights, which are validated and saved. */
export const emaDecay = (usual: number) =>
  decay.default(usual).describe("decay of the averaged weights; 0 keeps none");

/** Scale of the weights before training. */
export const initializerRange = (usual: number) =>
  positive.default(usual).describe("standard deviation of fresh weights");
