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
import type { DealtStep } from "../ranks/dealt_step.ts";
import { GradientSum } from "../../models/optimizer/gradient_sum.ts";
import type { World } from "../../base/parallel/world.ts";
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
  /** Micro batches of the largest step. */
  microBatches: number;
  /** The SIDs, for a `trieLossWeight` above 0. */
  trie: DeviceTrie | undefined;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
}

/** What a step reads of the settings. */
export type SftStepConfig = Pick<SftConfig, "seed" | "labelSmoothing" | "dropout" | "trieLossWeight">;

/** Optimizer steps: forward and backward of each micro batch, then the update. Work is submitted; only sums over ranks are read. */
export class SftStep {
  #parts: SftStepParts;
  #config: SftStepConfig;
  #buffer: PackedTokensBuffer;
  #rowLoss: Flat;
  #stats: Flat;
  #dropoutSeed: Flat;
  #gradients: GradientSum;
  #trie: { trie: DeviceTrie; nodes: Flat; scratch: TrieLossScratch } | undefined;

  constructor(parts: SftStepParts, config: SftStepConfig) {
    const { device, decoder, capacity, microBatches, trie, world } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#gradients = new GradientSum(decoder.parameters, {
      microBatches,
      world,
      layers: decoder.layerGradients,
    });
    this.#buffer = new PackedTokensBuffer(device, capacity);
    this.#rowLoss = device.createFlat("f32", capacity.rows);
    this.#stats = device.createFlat("f32", 4 * capacity.rows);
    this.#dropoutSeed = device.createFlat("u32", 4);
    if (trie && config.trieLossWeight > 0) {
      const nodes = device.createFlat("u32", capacity.rows);
      this.#trie = { trie, nodes, scratch: createTrieLossScratch(device, capacity.rows) };
    }
  }

  /** Step `step`, with row `row` of `log`. It waits for other ranks, where there are any. */
  async run(step: number, dealt: DealtStep, learningRate: number, log: LossLog, row: number): Promise<void> {
    const { device, optimizer } = this.#parts;
    const { micro, first, branches, weightSum } = dealt;
    optimizer.prepare(step, learningRate);
    log.begin(row, dealt);
    if (micro.length === 0) this.#gradients.begin();
    micro.forEach((batch, i) => {
      // All uploads before any work: each submits what was recorded, and a step is one submit a micro batch.
      device.write(this.#dropoutSeed, new Uint32Array([this.#config.seed, first + i, step, 0]));
      log.prepare(batch, first + i);
      this.#upload(batch.packed, weightSum);
      this.#gradients.begin();
      this.#compute((layer) => this.#gradients.addLayer(layer, i, micro.length));
      log.record(this.#rowLoss);
      this.#gradients.add(i, micro.length);
    });
    await this.#gradients.reduce(branches);
    await optimizer.step();
    device.submit();
  }

  /** Records forward and backward of one batch, whose loss is divided by `weightSum`. */
  record(batch: PackedBatch, weightSum: number): void {
    this.#upload(batch, weightSum);
    this.#compute();
  }

  #upload(batch: PackedBatch, weightSum: number): void {
    this.#buffer.write(batch, 1 / weightSum);
    if (this.#trie) this.#parts.device.write(this.#trie.nodes, this.#nodesOf(batch, this.#trie.trie));
  }

  /** Forward and backward of what was uploaded; `onLayer`: see `Tape`. */
  #compute(onLayer?: (layer: number) => void): void {
    const { device, decoder, scaling } = this.#parts;
    const { targets, weights } = this.#buffer.packed;
    device.scope(() => {
      const tape = new Tape(device, true, onLayer);
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
    this.#gradients.destroy();
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
