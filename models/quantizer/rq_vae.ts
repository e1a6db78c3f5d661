import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import {
  type ReconstructionLoss,
  reconstructionLoss,
  reconstructionLossBackward,
} from "../../kernels/quantizer/reconstruction.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { residual } from "../layers/layers.ts";
import { mlp, mlpParameters, type MlpShape } from "../layers/mlp.ts";
import { Parameters, type TensorMap } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";
import { codebookParameters } from "./residual.ts";

/** Sizes of an {@link RqVae}. */
export interface RqVaeShape {
  /** Numbers of an input row. */
  width: number;
  /** Widths of the encoder's hidden layers; the decoder has them in reverse. */
  layers: readonly number[];
  /** Numbers of a latent row and of a codeword. */
  latentWidth: number;
  /** Codewords of each level. */
  codebookSizes: readonly number[];
  /** Whether the encoder adds its input to its output, z = x + MLP(x); needs latents as wide as the input. */
  skip: boolean;
  /** Whether hidden layers are batch-normalised. */
  batchNorm: boolean;
}

/** Dropout of one step. */
export interface RqVaeDropout {
  rate: number;
  /** See `dropout()`. */
  seed: Flat;
}

const DECODER_STREAM = 1000;

/**
 * Autoencoder of MLPs around residual codebooks (Zeghidour et al. 2021; Rajput et al. 2023, TIGER, section 3.1):
 * encoder, decoder and codebooks as parameters `encoder.0.weight` …, `decoder.0.weight` …, `codebook.0` …
 */
export class RqVae {
  readonly device: Device;
  readonly shape: RqVaeShape;
  readonly parameters: Parameters;
  readonly #encoder: MlpShape;
  readonly #decoder: MlpShape;

  /** Weights are 0 until {@link load}. `extra` are parameters of losses beside the model's own. */
  constructor(device: Device, shape: RqVaeShape, extra: readonly ParameterSpec[] = []) {
    const { width, layers, latentWidth, codebookSizes, skip, batchNorm } = shape;
    if (skip && latentWidth !== width) {
      throw new RangeError(
        `RqVae with skip has latents of width ${latentWidth}: expected ${width}, as the input`,
      );
    }
    this.device = device;
    this.shape = shape;
    const sizes = [width, ...layers, latentWidth];
    this.#encoder = { sizes, batchNorm };
    this.#decoder = { sizes: sizes.toReversed(), batchNorm };
    this.parameters = new Parameters(device, [
      ...mlpParameters("encoder", this.#encoder),
      ...mlpParameters("decoder", this.#decoder),
      ...codebookParameters(codebookSizes, latentWidth),
      ...extra,
    ]);
  }

  /**
   * Fresh weights: Xavier-normal matrices (Glorot and Bengio 2010), biases 0; with `skip` the last encoder matrix is 0,
   * so that z = x. Codebooks are uniform in ±1 / K.
   */
  initial(seed: number): TensorMap {
    const random = new PhiloxStream(seed, "rq-vae weights");
    const xavier = ({ rows, cols }: ParameterSpec) => Math.sqrt(2 / (rows + cols));
    const tensors = this.parameters.toTensors(this.parameters.initial(() => random.normal(), xavier));
    if (this.shape.skip) tensors.get(`encoder.${this.shape.layers.length}.weight`)!.data.fill(0);
    this.shape.codebookSizes.forEach((codewords, level) => {
      const { data } = tensors.get(`codebook.${level}`)!;
      data.forEach((_, i) => data[i] = (2 * random.uniform() - 1) / codewords);
    });
    return tensors;
  }

  /** Replaces the weights. Throws `UserError` for missing tensors and other shapes, naming `source`. */
  load(tensors: TensorMap, source: string): void {
    this.parameters.load(tensors, source);
  }

  /** Weights on the host. */
  async tensors(): Promise<TensorMap> {
    return this.parameters.toTensors(await this.parameters.read());
  }

  /** x (N, width) -> latents (N, latentWidth). No gradient is computed for x. */
  encode(tape: Tape, x: Matrix, dropout?: RqVaeDropout): Matrix {
    tape.constant(x);
    const streams = dropout && { ...dropout, stream: 0 };
    const z = mlp(tape, this.parameters, "encoder", x, this.#encoder, streams);
    return this.shape.skip ? residual(tape, x, z) : z;
  }

  /** Latents (N, latentWidth) -> reconstruction (N, width). */
  decode(tape: Tape, latents: Matrix, dropout?: RqVaeDropout): Matrix {
    const streams = dropout && { ...dropout, stream: DECODER_STREAM };
    return mlp(tape, this.parameters, "decoder", latents, this.#decoder, streams);
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.parameters.destroy();
  }
}

/**
 * Loss of a reconstruction, and the start of its gradient. prediction (N, D), target (N, D), weights f32 (N) of the rows
 * -> rowLoss f32 (N), which add up to the loss.
 */
export function reconstruction(
  tape: Tape,
  prediction: Matrix,
  target: Matrix,
  weights: Flat,
  rowLoss: Flat,
  kind: ReconstructionLoss,
): void {
  const { device } = tape;
  reconstructionLoss(device, prediction, target, weights, rowLoss, kind);
  tape.record(() => {
    tape.accumulate(prediction, reconstructionLossBackward(device, prediction, target, weights, kind));
  });
}
