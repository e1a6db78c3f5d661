import type { Flat } from "../../../kernels/gpu/tensor.ts";
import type { Parameters } from "../../parameters/parameters.ts";
import type { NumberShares } from "../number_shares.ts";

/** Settings of an update that all steps share. */
export interface UpdateOptions {
  /** Decay of the running mean of the gradients. */
  beta1: number;
  /** Decay of the running mean of their squares. */
  beta2: number;
  /** Added to what a step is divided by. */
  eps: number;
  /** Decoupled weight decay, on matrices only. */
  weightDecay: number;
}

/** What a rule keeps beside the parameters. */
export interface UpdateArray {
  /** Where it lies, in order. */
  flats: Flat[];
  /** Whether each word (u32) holds four numbers of eight bits. */
  bytes?: boolean;
}

/** A step that is to be recorded. */
export interface UpdateStep {
  /** What the numbers of the step were uploaded to; see {@link UpdateState.hyper}. */
  hyper: Flat;
  /** Result of `gradNorm`. */
  norm: Flat;
  /** The running mean of the weights, where one is kept: as long as the segments of the parameters. */
  average: readonly Flat[] | undefined;
}

/** The moments of the parameters of a model. */
export interface UpdateState {
  /** By their names in checkpoints. */
  readonly arrays: Readonly<Record<string, UpdateArray>>;
  /** The learning rate and two more numbers that the kernels of step `t` (from 1) read. */
  hyper(t: number, learningRate: number): [number, number, number];
  /** Records the update of all that is trained. Of ranks with shares each moves its own. */
  step(step: UpdateStep): void;
  /** Frees everything on the device. */
  destroy(): void;
}

/** How gradients become steps. */
export interface UpdateRule {
  /** What it is, for people. */
  readonly summary: string;
  /** Whether ranks can keep a share of its state each (ZeRO stage 1). */
  readonly isShared: boolean;
  /** Makes the state before the first step; `shares` only where {@link isShared}. */
  open(parameters: Parameters, options: UpdateOptions, shares?: NumberShares): UpdateState;
}
