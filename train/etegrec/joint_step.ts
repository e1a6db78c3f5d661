import { branchOf } from "../../base/parallel/tree_sum.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { AlignmentLosses } from "./alignment_losses.ts";
import { productSpec } from "../../models/decoder/blocks.ts";
import type { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { linear, selectRows } from "../../models/layers/layers.ts";
import { GradientSum } from "../../models/optimizer/gradient_sum.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { PackedPairs } from "../../models/packing/packed_pairs.ts";
import type { ParameterSpec } from "../../models/parameters/spec.ts";
import { meanPooling } from "./pooling.ts";
import { type QuantizedLatents, ResidualQuantizer } from "../../models/quantizer/residual.ts";
import { reconstruction } from "../../models/quantizer/rq_vae.ts";
import { pickRows } from "../../sid/embeddings.ts";
import type { TermLog } from "../../sid/quantizer/term_log.ts";
import { type ItemGroup, pairGroups } from "../encoder_decoder/pair_data.ts";
import { PairStep } from "../encoder_decoder/pair_step.ts";
import type { AlignmentWeights, EtegrecConfig } from "./config.ts";
import type { ItemTokenizer } from "./item_tokenizer.ts";

const ENCODER_ADAPTER = "enc_adapter";
const DECODER_ADAPTER = "dec_adapter";

/** Parameters beside the recommender's: linear maps of its states to the tokenizer's latents, and to item vectors. */
export function adapterSpecs(dModel: number, latentWidth: number, itemWidth: number): ParameterSpec[] {
  return [[ENCODER_ADAPTER, latentWidth] as const, [DECODER_ADAPTER, itemWidth] as const].flatMap(
    ([name, width]): ParameterSpec[] => [
      productSpec(`${name}.weight`, width, dModel),
      { name: `${name}.bias`, rows: 1, cols: width, init: "zeros", decay: false, product: false },
    ],
  );
}

/** What steps read of the settings. */
export type JointStepConfig = Pick<
  EtegrecConfig,
  | "dropout"
  | "labelSmoothing"
  | "trieLossWeight"
  | "seed"
  | "siaSign"
  | "temperature"
  | "tokenizerBeta"
  | "tokenizerResidualGradients"
  | "tokenizerReconstructionLoss"
>;

/** What is trained, and what with. */
export interface JointStepParts {
  recommender: EncoderDecoder;
  recommenderOptimizer: Optimizer;
  tokenizer: ItemTokenizer;
  tokenizerOptimizer: Optimizer;
  /** Items and targets of a micro batch at most: see `PairData`. */
  capacity: { items: number; pairs: number };
  /** Tokens of the longest SID. */
  tokensPerItem: number;
  /** Micro batches of a step at most. */
  microBatches: number;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
}

/** A step of either phase. */
export interface JointBatch {
  /** Steps of its phase before it. */
  step: number;
  /** What it learns, by micro batch. */
  micro: readonly (readonly ItemGroup[])[];
  /** SIDs as they are now, in the recommender's ids. */
  itemTokens: readonly Uint32Array[];
  /** The same as a trie. */
  trie: DeviceTrie;
  learningRate: number;
  /** Weights of the alignment losses where they take part. */
  weights?: AlignmentWeights;
}

/** Targets of a batch as the tokenizer says them. */
interface CodedTargets {
  latents: Matrix;
  quantized: QuantizedLatents;
  /** (N, width). */
  reconstructions: Matrix;
}

/**
 * Steps of ETEGRec's alternating training (arXiv:2409.05546, section 3.4): in each, one of tokenizer and recommender
 * learns while the other, without dropout, stays as it is. Work is submitted; only sums over ranks are read.
 */
export class JointStep {
  readonly #device: Device;
  readonly #parts: JointStepParts;
  readonly #config: JointStepConfig;
  #pairs: PairStep;
  /** Those of the tokenizer. */
  readonly #gradients: GradientSum;
  readonly #alignment: AlignmentLosses;
  readonly #quantizer: ResidualQuantizer;
  /** Vectors of the batch's targets (N, width); rows after them are 0. */
  readonly #targets: Matrix;
  readonly #rowLoss: Flat;

  /** Makes room for batches of so many `inputs`, tokens of the encoder. */
  constructor(parts: JointStepParts, inputs: number, config: JointStepConfig) {
    const { recommender: { device }, tokenizer, capacity } = parts;
    const { width, latentWidth, codebookSizes } = tokenizer.model.shape;
    const rows = capacity.pairs;
    this.#device = device;
    this.#parts = parts;
    this.#config = config;
    this.#pairs = this.#pairStep(inputs);
    const { microBatches, world } = parts;
    this.#gradients = new GradientSum(tokenizer.model.parameters, { microBatches, world });
    this.#alignment = new AlignmentLosses(device, {
      rows,
      codebookSizes,
      latentWidth,
      itemWidth: width,
      temperature: config.temperature,
      siaSign: config.siaSign === "near" ? -1 : 1,
      residualGradients: config.tokenizerResidualGradients,
    });
    this.#quantizer = new ResidualQuantizer(device, codebookSizes, rows);
    this.#targets = device.createMatrix(rows, width);
    this.#rowLoss = device.createFlat("f32", rows);
  }

  /** Makes room for batches of so many tokens of the encoder: other SIDs may be longer. */
  resize(inputs: number): void {
    if (inputs === this.#pairs.buffer.capacity.inputs) return;
    this.#pairs.destroy();
    this.#pairs = this.#pairStep(inputs);
  }

  /** The recommender learns; logs `next item`, `sia` and `psa`. */
  async trainRecommender(
    { step, micro, itemTokens, trie, learningRate, weights }: JointBatch,
    log: TermLog,
  ): Promise<void> {
    const pairs = micro.map((groups) => pairGroups(groups, itemTokens));
    const shares = sharesOf(micro);
    await this.#pairs.run(
      step,
      pairs,
      trie,
      learningRate,
      log,
      weights && {
        prepare: (i) => this.#writeTargets(micro[i], weights, shares[i]),
        add: ({ tape, packed, encoded, states }) => {
          const targets = this.#code(new Tape(this.#device, false), 0);
          tape.constant(targets.latents);
          tape.constant(targets.reconstructions);
          this.#align(tape, targets, this.#adapted(tape, packed, encoded, states), weights, true);
        },
        log: () => this.#logAlignment(log, weights),
      },
    );
  }

  /** The tokenizer learns; logs `reconstruction`, `quantization`, `sia` and `psa`. */
  async trainTokenizer(
    { step, micro, itemTokens, learningRate, weights }: JointBatch,
    log: TermLog,
  ): Promise<void> {
    const { tokenizerOptimizer: optimizer, world = ALONE } = this.#parts;
    const { first, end, branches } = branchOf(micro.length, world);
    optimizer.prepare(step, learningRate);
    if (first === end) this.#gradients.begin();
    const shares = sharesOf(micro);
    micro.forEach((groups, i) => {
      log.begin();
      if (i < first || i >= end) return;
      this.#writeTargets(groups, weights ?? { sia: 0, psa: 0 }, shares[i]);
      // Weights of next items play no part here.
      if (weights) this.#pairs.buffer.write(pairGroups(groups, itemTokens), 1);
      this.#gradients.begin(); // after the uploads: each submits what was recorded
      this.#learnCodes(weights, log);
      if (weights) this.#logAlignment(log, weights);
      this.#gradients.add(i - first, end - first);
    });
    await this.#gradients.reduce(branches);
    await optimizer.step();
    this.#device.submit();
  }

  /** Gradients of the tokenizer on the targets that were written. */
  #learnCodes(weights: AlignmentWeights | undefined, log: TermLog): void {
    const { recommender } = this.#parts;
    this.#device.scope(() => {
      const tape = new Tape(this.#device, true);
      const targets = this.#code(tape, 1);
      const { reconstructions, quantized } = targets;
      const { tokenizerReconstructionLoss: kind } = this.#config;
      reconstruction(
        tape,
        reconstructions,
        this.#targets,
        this.#alignment.itemWeights,
        this.#rowLoss,
        kind,
      );
      log.add("reconstruction", this.#rowLoss, this.#targets.rows);
      quantized.distances.forEach((distances, level) =>
        log.add(`quantization ${level + 1}`, distances, this.#targets.rows, quantized.distanceWeight)
      );
      if (weights) {
        const silent = new Tape(this.#device, false);
        const { packed } = this.#pairs.buffer;
        const encoded = recommender.encode(silent, packed.encoder);
        const states = recommender.decode(silent, packed, encoded);
        const adapted = this.#adapted(silent, packed, encoded, states);
        tape.constant(adapted.sequences);
        tape.constant(adapted.preferences);
        this.#align(tape, targets, adapted, weights, false);
      }
      tape.backward();
    });
  }

  /** Frees its arrays. */
  destroy(): void {
    for (const part of [this.#pairs, this.#gradients, this.#alignment, this.#quantizer]) part.destroy();
    this.#device.destroy(this.#targets);
    this.#device.destroy(this.#rowLoss);
  }

  #pairStep(inputs: number): PairStep {
    const {
      recommender: model,
      recommenderOptimizer: optimizer,
      tokenizer: _,
      tokenizerOptimizer: __,
      ...parts
    } = this.#parts;
    return new PairStep({ model, optimizer, inputs, ...parts }, this.#config);
  }

  #writeTargets(groups: readonly ItemGroup[], weights: AlignmentWeights, share: number): void {
    const { inputs: { data, dim } } = this.#parts.tokenizer;
    const items = groups.flatMap(({ targets }) => targets.map(({ item }) => item));
    const vectors = new Float32Array(this.#targets.rows * dim);
    vectors.set(pickRows(data, Uint32Array.from(items), dim));
    this.#alignment.setTargets(items, weights, share);
    this.#device.write(this.#targets, vectors);
  }

  #code(tape: Tape, lossWeight: number): CodedTargets {
    const { model } = this.#parts.tokenizer;
    const latents = model.encode(tape, this.#targets);
    const quantized = this.#quantizer.quantize(tape, model.parameters, latents, {
      levels: model.shape.codebookSizes.length,
      lossWeight,
      beta: this.#config.tokenizerBeta,
      residualGradients: this.#config.tokenizerResidualGradients,
      weights: this.#alignment.rowWeights,
    });
    return { latents, quantized, reconstructions: model.decode(tape, quantized.quantized) };
  }

  /** The recommender's states where the tokenizer's space and that of item vectors begin, (N, ..) each. */
  #adapted(tape: Tape, packed: PackedPairs, encoded: Matrix, states: Matrix) {
    const { parameters } = this.#parts.recommender;
    const adapter = (x: Matrix, name: string) =>
      linear(tape, parameters, x, `${name}.weight`, `${name}.bias`);
    const { rows, inverse } = packed.heads[0];
    return {
      sequences: adapter(meanPooling(tape, encoded, packed), ENCODER_ADAPTER),
      preferences: adapter(selectRows(tape, states, rows, rows.length, inverse), DECODER_ADAPTER),
    };
  }

  #align(
    tape: Tape,
    { latents, quantized, reconstructions }: CodedTargets,
    { sequences, preferences }: { sequences: Matrix; preferences: Matrix },
    { sia, psa }: AlignmentWeights,
    frozen: boolean,
  ): void {
    const { parameters } = this.#parts.tokenizer.model;
    if (sia > 0) this.#alignment.sia(tape, parameters, { sequences, latents, quantized, frozen });
    if (psa > 0) this.#alignment.psa(tape, reconstructions, preferences);
  }

  #logAlignment(log: TermLog, { sia, psa }: AlignmentWeights): void {
    const { siaLosses, psaLosses } = this.#alignment;
    const rows = this.#targets.rows;
    if (sia > 0) siaLosses.forEach((loss, level) => log.add(`sia ${level + 1}`, loss, rows));
    if (psa > 0) psaLosses.forEach((loss, way) => log.add(`psa ${way + 1}`, loss, rows));
  }
}

/** Which share of a step's targets each micro batch has. */
function sharesOf(micro: readonly (readonly ItemGroup[])[]): number[] {
  const counts = micro.map((groups) => groups.reduce((sum, { targets }) => sum + targets.length, 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}
