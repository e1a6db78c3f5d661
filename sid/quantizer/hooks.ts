import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { ParameterSpec } from "../../models/parameters/spec.ts";
import type { QuantizedLatents } from "../../models/quantizer/residual.ts";
import type { RqVae } from "../../models/quantizer/rq_vae.ts";

/** One training step, after its forward pass: what a loss of a method's own may read. */
export interface QuantizerStep {
  /** Steps before this one, and epochs. */
  step: number;
  epoch: number;
  /** Rows of the input that the batch holds, B. */
  items: Uint32Array;
  /** The model; losses on codebooks add to `model.parameters.gradient("codebook.0")` … */
  model: RqVae;
  /** Normalised inputs (B, width). */
  input: Matrix;
  /** Encoder outputs (B, latentWidth); losses on them call `tape.accumulate(latents, …)`. */
  latents: Matrix;
  /** Codes and sums of codewords. A gradient of `quantized.quantized` goes straight through to the latents. */
  quantized: QuantizedLatents;
  /** Logs a term of the loss for this step: `factor` times the sum of the first `rows` of `rowLoss`. */
  log(term: string, rowLoss: Flat, rows: number, factor?: number): void;
}

/** What a method changes of the training. Every part is optional. */
export interface QuantizerHooks {
  /** Parameters of the extra losses, such as a projection; trained and kept with the model's, not needed to code. */
  parameters?: readonly ParameterSpec[];
  /** How many levels take part in a step, the first ones. Default: all. */
  activeLevels?(step: number): number;
  /**
   * Batches of an epoch, at most `batchSize` rows each. `items` are the rows to train on; rows with the same entry in
   * `groups`, there after the first evaluation, should share a batch. Default: `items`, shuffled.
   */
  batches?(epoch: number, items: Uint32Array, groups?: readonly string[]): Uint32Array[];
  /** What work of earlier epochs left, for a training that goes on with {@link restore}. */
  state?(): number[][];
  /** Puts back what {@link state} gave. */
  restore?(state: readonly number[][]): void;
  /** Called before each epoch, for work on the host such as clustering codewords anew. */
  beforeEpoch?(epoch: number, model: RqVae): Promise<void> | void;
  /**
   * Adds losses to those of reconstruction and quantisation. Runs inside the scope of the step, between forward and
   * backward pass: matrices come from the pool, gradients are left by `tape.record()` or, where the gradient is known
   * already, by `tape.accumulate()` inside a recorded step. Each term is logged, so that they add up to the loss.
   */
  extraLoss?(tape: Tape, step: QuantizerStep): void;
}
