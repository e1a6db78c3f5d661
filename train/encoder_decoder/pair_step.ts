import { branchOf } from "../../base/parallel/tree_sum.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { GradientSum } from "../../models/optimizer/gradient_sum.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import { type PackedPairs, PackedPairsBuffer, type PairGroup } from "../../models/packing/packed_pairs.ts";
import type { TermLog } from "../../sid/quantizer/term_log.ts";
import { PairTrieLoss } from "./pair_trie_loss.ts";

/** A step after its forward pass: what losses beside the next item's may read. */
export interface PairForward {
  tape: Tape;
  packed: PackedPairs;
  /** States (Te, C) of the encoder. */
  encoded: Matrix;
  /** States (N D, C) of the decoder. */
  states: Matrix;
}

/** Losses beside the next item's, in every micro batch `i` of a step. */
export interface ExtraPairLoss {
  /** Uploads what the loss reads, before the work of the micro batch is recorded. */
  prepare(i: number): void;
  /** Adds the loss by `tape.record()`, between forward and backward pass. */
  add(forward: PairForward): void;
  /** Logs it. */
  log(): void;
}

/** What a step computes with. */
export interface PairStepParts {
  model: EncoderDecoder;
  optimizer: Optimizer;
  /** Items and targets of a micro batch at most: see `PairData`. */
  capacity: { items: number; pairs: number };
  /** Tokens of the longest SID. */
  tokensPerItem: number;
  /** Tokens that the encoder reads in a micro batch at most. Default: those of as many of the longest SIDs as there are items. */
  inputs?: number;
  /** Micro batches of the largest step. */
  microBatches: number;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
}

/** What a step reads of the settings. */
export interface PairStepConfig {
  dropout: number;
  labelSmoothing: number;
  /** Share of the loss that is over the codewords that may follow in the catalogue. */
  trieLossWeight: number;
  seed: number;
}

/** Optimizer steps of an encoder-decoder on pairs of histories and next items. Work is submitted, nothing is read. */
export class PairStep {
  /** The batch on the device. */
  readonly buffer: PackedPairsBuffer;
  #parts: PairStepParts;
  #config: PairStepConfig;
  #dropoutSeed: Flat;
  #gradients: GradientSum;
  #trieLoss: PairTrieLoss | undefined;

  constructor(parts: PairStepParts, config: PairStepConfig) {
    const {
      model,
      capacity: { items, pairs },
      tokensPerItem,
      inputs = items * tokensPerItem,
      microBatches,
      world,
    } = parts;
    this.#gradients = new GradientSum(model.parameters, { microBatches, world });
    this.#parts = parts;
    this.#config = config;
    this.buffer = new PackedPairsBuffer(model.device, { inputs, pairs, depth: tokensPerItem }, model);
    this.#dropoutSeed = model.device.createFlat("u32", 4);
    if (config.trieLossWeight > 0) {
      this.#trieLoss = new PairTrieLoss(model, this.buffer, config.trieLossWeight);
    }
  }

  /**
   * Step `step` of the run, on the gradients of its micro batches. Its loss, the mean over their target tokens, is in
   * `log` as `next item`, a share each micro batch; of several ranks each computes its own of them, and the others have 0
   * there. `trie` holds the SIDs as they are now.
   */
  async run(
    step: number,
    micro: readonly (readonly PairGroup[])[],
    trie: DeviceTrie,
    learningRate: number,
    log: TermLog,
    extra?: ExtraPairLoss,
  ): Promise<void> {
    const { model: { device }, model, optimizer, world = ALONE } = this.#parts;
    const { dropout: rate, labelSmoothing, seed } = this.#config;
    const weight = micro.reduce((sum, groups) => sum + weightOf(groups), 0);
    const { packed } = this.buffer;
    optimizer.prepare(step, learningRate);
    const { first, end, branches } = branchOf(micro.length, world);
    if (first === end) this.#gradients.begin();
    micro.forEach((groups, i) => {
      log.begin();
      if (i < first || i >= end) return;
      extra?.prepare(i);
      device.write(this.#dropoutSeed, new Uint32Array([seed, i, step, 0]));
      const places = this.buffer.write(groups, 1 / weight);
      this.#trieLoss?.write(trie, groups, places);
      this.#gradients.begin(); // after the uploads: each submits what was recorded
      device.scope(() => {
        const tape = new Tape(device, true);
        const dropout = rate > 0 ? { rate, seed: this.#dropoutSeed } : undefined;
        const encoded = model.encode(tape, packed.encoder, dropout);
        const states = model.decode(tape, packed, encoded, dropout);
        if (this.#trieLoss) this.#trieLoss.loss(tape, trie, states, labelSmoothing);
        else model.loss(tape, packed, states, { labelSmoothing });
        extra?.add({ tape, packed, encoded, states });
        tape.backward();
      });
      log.add("next item", packed.rowLoss, packed.rowLoss.length);
      extra?.log();
      this.#gradients.add(i - first, end - first);
    });
    await this.#gradients.reduce(branches);
    await optimizer.step();
    device.submit();
  }

  /** Frees its arrays. */
  destroy(): void {
    this.buffer.destroy();
    this.#gradients.destroy();
    this.#trieLoss?.destroy();
    this.#parts.model.device.destroy(this.#dropoutSeed);
  }
}

function weightOf(groups: readonly PairGroup[]): number {
  let sum = 0;
  for (const { completions } of groups) {
    for (const { targets, weight = 1 } of completions) sum += weight * targets.length;
  }
  return sum;
}
