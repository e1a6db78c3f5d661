import type { Capacity, PackedBatch } from "../../data/packing/batches.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import type { LossScaling } from "../../models/optimizer/loss_scaling.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import { PackedTokensBuffer } from "../../models/packing/packed_tokens.ts";
import {
  createTrieLossScratch,
  destroyTrieLossScratch,
  type TrieLossScratch,
} from "../../models/losses/trie_loss.ts";
import { NO_NODE, targetNodes } from "../../sid/target_nodes.ts";
import type { LossLog } from "../run/loss_log.ts";
import type { MicroBatch } from "../run/packed_data.ts";
import type { SftConfig } from "./config.ts";

/** What a step computes with. */
export interface SftStepParts {
  device: Device;
  decoder: Decoder;
  optimizer: Optimizer;
  /** Where matrices are float16. */
  scaling: LossScaling | undefined;
  /** Rows of every micro batch. */
  capacity: Capacity;
  /** The SIDs, for a `trieLossWeight` above 0. */
  trie: DeviceTrie | undefined;
}

/** What a step reads of the settings. */
export type SftStepConfig = Pick<SftConfig, "seed" | "labelSmoothing" | "dropout" | "trieLossWeight">;

/** Optimizer steps: forward and backward of each micro batch, then the update. Work is submitted, nothing is read. */
export class SftStep {
  #parts: SftStepParts;
  #config: SftStepConfig;
  #buffer: PackedTokensBuffer;
  #rowLoss: Flat;
  #stats: Flat;
  #dropoutSeed: Flat;
  #trie: { trie: DeviceTrie; nodes: Flat; scratch: TrieLossScratch } | undefined;

  constructor(parts: SftStepParts, config: SftStepConfig) {
    const { device, capacity, trie } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#buffer = new PackedTokensBuffer(device, capacity);
    this.#rowLoss = device.createFlat("f32", capacity.rows);
    this.#stats = device.createFlat("f32", 4 * capacity.rows);
    this.#dropoutSeed = device.createFlat("u32", 4);
    if (trie && config.trieLossWeight > 0) {
      const nodes = device.createFlat("u32", capacity.rows);
      this.#trie = { trie, nodes, scratch: createTrieLossScratch(device, capacity.rows) };
    }
  }

  /** Step `step`, with row `row` of `log`. */
  run(step: number, micro: readonly MicroBatch[], learningRate: number, log: LossLog, row: number): void {
    const { device, decoder, optimizer } = this.#parts;
    const weightSum = micro.reduce((sum, { packed }) => sum + packed.counts.weightSum, 0);
    optimizer.prepare(step, learningRate);
    log.begin(row, micro, weightSum);
    decoder.parameters.clearGradients();
    micro.forEach((batch, i) => {
      device.write(this.#dropoutSeed, new Uint32Array([this.#config.seed, i, step, 0]));
      log.prepare(batch);
      this.record(batch.packed, weightSum);
      log.record(this.#rowLoss);
    });
    optimizer.step();
    device.submit();
  }

  /** Records forward and backward of one batch, whose loss is divided by `weightSum`. */
  record(batch: PackedBatch, weightSum: number): void {
    const { device, decoder, scaling } = this.#parts;
    this.#buffer.write(batch, 1 / weightSum);
    if (this.#trie) device.write(this.#trie.nodes, this.#nodesOf(batch, this.#trie.trie));
    const { targets, weights } = this.#buffer.packed;
    device.scope(() => {
      const tape = new Tape(device, true);
      const gradientWeights = scaling?.weights(weights);
      const rows = { targets, weights, gradientWeights, stats: this.#stats, rowLoss: this.#rowLoss };
      decoder.loss(tape, this.#buffer.packed, rows, {
        labelSmoothing: this.#config.labelSmoothing,
        dropout: { rate: this.#config.dropout, seed: this.#dropoutSeed },
        trie: this.#trie && {
          ...this.#trie,
          tokens: { start: this.#trie.trie.minToken, end: this.#trie.trie.maxToken + 1 },
          share: this.#config.trieLossWeight,
        },
      });
      tape.backward();
    });
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#parts;
    this.#buffer.destroy();
    for (const flat of [this.#rowLoss, this.#stats, this.#dropoutSeed]) device.destroy(flat);
    if (!this.#trie) return;
    device.destroy(this.#trie.nodes);
    destroyTrieLossScratch(device, this.#trie.scratch);
  }

  #nodesOf({ targetTokens, counts }: PackedBatch, { host }: DeviceTrie): Uint32Array {
    const nodes = new Uint32Array(this.#parts.capacity.rows).fill(NO_NODE);
    nodes.set(targetNodes(host, targetTokens.subarray(0, counts.targets)));
    return nodes;
  }
}
