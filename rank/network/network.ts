import { z } from "zod";
import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { Tape } from "../../kernels/tape.ts";
import { drop, linear } from "../../models/layers/layers.ts";
import { activate } from "../../models/layers/mlp.ts";
import { Parameters } from "../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../models/parameters/spec.ts";

/** Sizes of a {@link RankNetwork}: `config.json` of its checkpoints. */
export interface RankShape {
  /** Tells it from other models. */
  model_type: "rank";
  /** Numbers of a candidate, F. */
  num_inputs: number;
  /** Hidden units; 0: scores are linear in the inputs. */
  hidden_size: number;
  /** Networks whose scores are averaged. */
  num_rankers: number;
}

/** Reads a {@link RankShape}. */
export const RankShapeSchema: z.ZodType<RankShape> = z.strictObject({
  model_type: z.literal("rank"),
  num_inputs: z.int().min(1),
  hidden_size: z.int().min(0),
  num_rankers: z.int().min(1),
});

/** Names of the parameters of a ranker. */
export const rankerNames = (ranker: number) => ({
  hidden: `rankers.${ranker}.hidden.weight`,
  bias: `rankers.${ranker}.hidden.bias`,
  output: `rankers.${ranker}.output.weight`,
});

/** Some networks that score a candidate by its inputs: W2 gelu(W1 x + b), or W x. They share nothing but the data. */
export class RankNetwork {
  /** Where its weights are. */
  readonly device: Device;
  /** Its sizes. */
  readonly shape: RankShape;
  /** Its weights. */
  readonly parameters: Parameters;

  /** Allocates all parameters, set to 0: load or `initialize()` them next. */
  constructor(device: Device, shape: RankShape) {
    this.device = device;
    this.shape = shape;
    this.parameters = new Parameters(device, parameterSpecs(shape));
  }

  /** Fresh weights of variance 1 / (3 inputs), as PyTorch's linear layers have; each ranker has its own. */
  initialize(seed: number): void {
    const random = new PhiloxStream(seed, "rank weights");
    const scale = ({ cols }: ParameterSpec) => 1 / Math.sqrt(3 * cols);
    this.parameters.write(this.parameters.initial(() => random.normal(), scale));
  }

  /**
   * Scores of candidates x (R, F), of each ranker (R, 1). Dropout is on the hidden units, in training only; `seed` as
   * `dropout()` has it.
   */
  scores(tape: Tape, x: Matrix, dropout?: { rate: number; seed: Flat }): Matrix[] {
    const { parameters, shape: { hidden_size, num_rankers } } = this;
    tape.constant(x);
    return Array.from({ length: num_rankers }, (_, ranker) => {
      const names = rankerNames(ranker);
      if (hidden_size === 0) return linear(tape, parameters, x, names.output);
      const hidden = activate(tape, linear(tape, parameters, x, names.hidden, names.bias), "gelu");
      const dropped = dropout ? drop(tape, hidden, { ...dropout, stream: ranker }) : hidden;
      return linear(tape, parameters, dropped, names.output);
    });
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.parameters.destroy();
  }
}

function parameterSpecs({ num_inputs, hidden_size, num_rankers }: RankShape): ParameterSpec[] {
  return Array.from({ length: num_rankers }, (_, ranker): ParameterSpec[] => {
    const { hidden, bias, output } = rankerNames(ranker);
    const weight = { init: "normal", decay: true, product: true } as const;
    if (hidden_size === 0) return [{ ...weight, name: output, rows: 1, cols: num_inputs }];
    return [
      { ...weight, name: hidden, rows: hidden_size, cols: num_inputs },
      { name: bias, rows: 1, cols: hidden_size, init: "zeros", decay: false, product: false },
      { ...weight, name: output, rows: 1, cols: hidden_size },
    ];
  }).flat();
}
