import { scale } from "../../kernels/elementwise/add.ts";
import { columnSum } from "../../kernels/reduce/column_sum.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { matmul, matmulAt, matmulBt } from "../../kernels/matmul/matmul.ts";
import { squaredNorms, squaredNormsBackward } from "../../kernels/reduce/squared_norms.ts";
import { symmetricKl, symmetricKlBackward } from "../../kernels/quantizer/symmetric_kl.ts";
import { Tape } from "../../kernels/tape.ts";
import { expectShape, type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import { EXCLUDED, InfoNce, unitGain, unitRows } from "../../models/losses/contrastive.ts";
import type { AlignmentWeights } from "./config.ts";
import type { Parameters } from "../../models/parameters/parameters.ts";
import { type QuantizedLatents, ResidualQuantizer } from "../../models/quantizer/residual.ts";

/** Settings of {@link AlignmentLosses}. */
export interface AlignmentLossesConfig {
  /** Rows of a batch, N: each a history and its target. */
  rows: number;
  /** Codewords of each level of the tokenizer, as in its `RqVaeShape`. */
  codebookSizes: readonly number[];
  /** Numbers of a latent and of a codeword, D. */
  latentWidth: number;
  /** Numbers of an item's vector, W. */
  itemWidth: number;
  /** Temperature of preference-semantic alignment; the released code has 0.07. */
  temperature: number;
  /**
   * Sign of the squared distances in the softmax over codewords: -1 as in the paper, so that near codewords are likely;
   * 1 as in the released code, so that far ones are.
   */
  siaSign: -1 | 1;
  /** As in `QuantizeOptions`: whether distances on every level reach latents, not those of the first alone. */
  residualGradients: boolean;
}

/** Operands of {@link AlignmentLosses.sia}. */
export interface SequenceItemOperands {
  /** Encoded histories z_E (N, D), in the space of the tokenizer's latents. */
  sequences: Matrix;
  /** Latents of the targets (N, D): what the tokenizer's encoder makes of their vectors. */
  latents: Matrix;
  /** The same, quantised. */
  quantized: QuantizedLatents;
  /** Whether the tokenizer stays as it is: neither codebooks nor `latents` get a gradient. */
  frozen: boolean;
}

/** Which rows of a batch are the first with their target: repeated targets and padding are not. targets (n), rows N >= n. */
export function firstOccurrences(targets: ArrayLike<number>, rows: number): boolean[] {
  const seen = new Set<number>();
  return Array.from({ length: rows }, (_, row) => {
    if (row >= targets.length || seen.has(targets[row])) return false;
    seen.add(targets[row]);
    return true;
  });
}

/**
 * Losses that tie a tokenizer and a recommender to each other (ETEGRec, arXiv:2409.05546, section 3.3), means over the
 * distinct targets U of a batch. Sequence-item alignment: the histories' encodings z_E are to lie among the codewords as
 * the latents z of their targets do,
 *
 *     SIA = μ / (L |U|) sum over u, l of KL(P_l | Q_l) + KL(Q_l | P_l)
 *
 * with P_l and Q_l the softmax over codewords e of sign |v - e|^2, v being what the levels before l leave of z_E and of
 * z. Preference-semantic alignment: the decoder's first state h and the tokenizer's reconstruction r of the target are
 * to find each other among those of the batch by their cosine,
 *
 *     PSA = λ / |U| sum over u of -log softmax_j(cos(r_u, h_j) / t)_u - log softmax_j(cos(h_u, r_j) / t)_u
 *
 * The choice of a codeword has no gradient, nor has the codeword that is taken off a residual: codebook l learns from
 * the distances of level l alone. Distances of the first level always reach z_E and z; those of later levels do with
 * `residualGradients`, as of v = z - codewords, and without have none, as of residuals of straight-through codewords.
 */
export class AlignmentLosses {
  /** Weight of each row in means over distinct targets, f32 (N): 1 / |U| times the share of the step, or 0. For `QuantizeOptions.weights`. */
  readonly rowWeights: Flat;
  /** The same for means over the numbers of their vectors: 1 / (|U| W) or 0. For `reconstruction()`. */
  readonly itemWeights: Flat;
  /** Losses of the last {@link sia}, weighted: f32 (N) a level, all of which add up to the loss. */
  readonly siaLosses: readonly Flat[];
  /** Losses of the last {@link psa}, weighted, by rows f32 (N): targets that find histories, and the reverse. */
  readonly psaLosses: readonly Flat[];
  readonly #device: Device;
  readonly #config: AlignmentLossesConfig;
  readonly #quantizer: ResidualQuantizer;
  readonly #weights: { sia: Flat; psa: Flat };
  readonly #keyBias: Matrix;
  readonly #targets: Flat;
  readonly #gain: Matrix;
  readonly #nce: readonly InfoNce[];
  readonly #stats: readonly Flat[];
  readonly #slopes: Flat;

  /** Room for a batch. */
  constructor(device: Device, config: AlignmentLossesConfig) {
    const { rows, codebookSizes, itemWidth, temperature } = config;
    const perRow = () => device.createFlat("f32", rows);
    this.#device = device;
    this.#config = config;
    this.#quantizer = new ResidualQuantizer(device, codebookSizes, rows);
    this.rowWeights = perRow();
    this.itemWeights = perRow();
    this.#weights = { sia: perRow(), psa: perRow() };
    this.siaLosses = codebookSizes.map(perRow);
    this.#stats = codebookSizes.map(() => device.createFlat("f32", 4 * rows));
    this.#slopes = device.createFlat("f32", 4 * groupsOf(Math.max(...codebookSizes)));
    this.#keyBias = device.createMatrix(1, rows);
    this.#targets = device.createFlat("u32", Uint32Array.from({ length: rows }, (_, row) => row));
    this.#gain = unitGain(device, itemWidth, temperature);
    this.#nce = [0, 1].map(() => new InfoNce(device, { anchors: rows, keys: rows, width: itemWidth }));
    this.psaLosses = this.#nce.map(({ rowLoss }) => rowLoss);
  }

  /**
   * Uploads which rows count, from the target items of the batch, at most N; rows after them are padding. Before the
   * work of a micro batch is recorded; `sia` and `psa` are μ and λ of the step, of which it makes up a `share`. Returns |U|,
   * how many count.
   */
  setTargets(targets: ArrayLike<number>, { sia, psa }: AlignmentWeights, share = 1): number {
    const { rows, codebookSizes, itemWidth } = this.#config;
    const counts = firstOccurrences(targets, rows);
    const distinct = counts.filter((first) => first).length;
    const write = (flat: Flat, weight: number) =>
      this.#device.write(flat, Float32Array.from(counts, (first) => first ? share * weight / distinct : 0));
    write(this.rowWeights, 1);
    write(this.itemWeights, 1 / itemWidth);
    write(this.#weights.sia, sia / codebookSizes.length);
    write(this.#weights.psa, psa);
    this.#device.write(this.#keyBias, Float32Array.from(counts, (first) => first ? 0 : EXCLUDED));
    return distinct;
  }

  /**
   * Adds sequence-item alignment. `tokenizer` has the parameters of `codebookParameters()`; what the tape has as
   * constant gets no gradient.
   */
  sia(
    tape: Tape,
    tokenizer: Parameters,
    { sequences, latents, quantized, frozen }: SequenceItemOperands,
  ): void {
    const device = this.#device;
    const { rows, codebookSizes, latentWidth, residualGradients } = this.#config;
    expectShape("AlignmentLosses.sia() sequences", sequences, rows, latentWidth);
    expectShape("AlignmentLosses.sia() latents", latents, rows, latentWidth);
    const silent = new Tape(device, false);
    const options = { levels: codebookSizes.length, lossWeight: 0, beta: 0, residualGradients };
    const { residuals } = this.#quantizer.quantize(silent, tokenizer, sequences, options);
    const passes = (level: number) => level === 0 || residualGradients;
    codebookSizes.forEach((_, level) => {
      const ofSequences = passes(level) && tape.wants(sequences) ? sequences : undefined;
      const ofItems = passes(level) && !frozen && tape.wants(latents) ? latents : undefined;
      const sides = [
        this.#codewordLogits(tokenizer, level, residuals[level], frozen, ofSequences),
        this.#codewordLogits(tokenizer, level, quantized.residuals[level], frozen, ofItems),
      ];
      const [p, q] = sides.map(({ logits }) => logits);
      const stats = this.#stats[level];
      symmetricKl(device, p, q, this.#weights.sia, stats, this.siaLosses[level]);
      tape.record(() => {
        const { dp, dq } = symmetricKlBackward(device, p, q, this.#weights.sia, stats);
        sides[0].backward(tape, dp);
        sides[1].backward(tape, dq);
        device.release(dp);
        device.release(dq);
      });
    });
  }

  /**
   * Adds preference-semantic alignment of the targets' reconstructions (N, W) with the decoder's first states (N, W);
   * what the tape has as constant gets no gradient.
   */
  psa(tape: Tape, reconstructions: Matrix, preferences: Matrix): void {
    const { rows, itemWidth } = this.#config;
    expectShape("AlignmentLosses.psa() reconstructions", reconstructions, rows, itemWidth);
    expectShape("AlignmentLosses.psa() preferences", preferences, rows, itemWidth);
    const contrast = { targets: this.#targets, weights: this.#weights.psa, keyBias: this.#keyBias };
    const items = unitRows(tape, reconstructions, this.#gain);
    const histories = unitRows(tape, preferences, this.#gain);
    this.#nce[0].loss(tape, items, histories, contrast);
    this.#nce[1].loss(tape, histories, items, contrast);
  }

  /** Frees everything on the device. */
  destroy(): void {
    this.#quantizer.destroy();
    this.#nce.forEach((nce) => nce.destroy());
    const { sia, psa } = this.#weights;
    const own = [
      this.rowWeights,
      this.itemWeights,
      sia,
      psa,
      this.#targets,
      this.#slopes,
      this.#gain,
      this.#keyBias,
    ];
    for (const tensor of [...own, ...this.siaLosses, ...this.#stats]) this.#device.destroy(tensor);
  }

  /**
   * sign |v - e|^2 of the residuals v (N, D) and each codeword e (K, D) -> logits (N, K), less sign |v|^2, which a
   * softmax does not see. Their gradient goes to the codebook unless it is frozen, and to `latents` where given.
   */
  #codewordLogits(tokenizer: Parameters, level: number, v: Matrix, frozen: boolean, latents?: Matrix) {
    const device = this.#device;
    const { siaSign: sign } = this.#config;
    const name = `codebook.${level}`;
    const codebook = tokenizer.matrix(name);
    const scaled = scale(device, v, -2 * sign);
    const bias = squaredNorms(device, codebook, sign);
    const logits = matmulBt(device, scaled, codebook, { bias });
    const backward = (tape: Tape, slopes: Matrix) => {
      const gradient = frozen ? undefined : tokenizer.gradient(name);
      if (gradient) {
        matmulAt(device, slopes, scaled, gradient, true);
        columnSum(device, slopes, this.#slopes, false);
        squaredNormsBackward(device, codebook, this.#slopes, sign, gradient);
      }
      if (!latents) return;
      const product = matmul(device, slopes, codebook);
      tape.accumulate(latents, scale(device, product, -2 * sign));
      device.release(product);
    };
    return { logits, backward };
  }
}
