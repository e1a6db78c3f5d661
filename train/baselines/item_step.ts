import { PhiloxStream } from "../../base/philox.ts";
import { NO_ROW } from "../../kernels/rows/gather.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import {
  createOccurrences,
  destroyOccurrences,
  ItemBatchBuffer,
  type ItemModel,
  writeOccurrences,
} from "../../models/items/item_model.ts";
import { drop } from "../../models/layers/layers.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import {
  createRobustTerm,
  destroyRobustTerm,
  robustLoss,
  robustScales,
  type RobustTerm,
} from "../../models/losses/robust_loss.ts";
import { type SampledItems, sampledLoss } from "../../models/losses/sampled_loss.ts";
import { vocabularyLoss } from "../../models/losses/vocabulary_loss.ts";
import type { LossLog } from "../run/loss_log.ts";
import type { DealtStep } from "../ranks/dealt_step.ts";
import type { MicroBatch, PackedData } from "../run/packed_data.ts";
import { GradientSum } from "../../models/optimizer/gradient_sum.ts";
import type { World } from "../../base/parallel/world.ts";
import type { ItemTrainingConfig } from "./item_config.ts";
import { drawNegatives, targetCounts } from "../run/item_sequences.ts";

/** How an {@link ItemStep} steps. */
export interface ItemStepOptions {
  config: ItemTrainingConfig;
  /** Micro batches of the largest step. */
  microBatches: number;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
}

/** Optimizer steps of an {@link ItemModel}: forward, backward, update. Work is submitted; only sums over ranks are read. */
export class ItemStep {
  #model: ItemModel;
  #optimizer: Optimizer;
  #data: PackedData;
  #config: ItemTrainingConfig;
  #buffer: ItemBatchBuffer;
  #rowLoss: Flat;
  #stats: Flat;
  #dropoutSeed: Flat;
  #gradients: GradientSum;
  #sampled: SampledItems | undefined;
  #robust: RobustTerm | undefined;

  constructor(
    model: ItemModel,
    optimizer: Optimizer,
    data: PackedData,
    { config, microBatches, world }: ItemStepOptions,
  ) {
    const { device } = model;
    const { rows } = data.capacity;
    this.#model = model;
    this.#optimizer = optimizer;
    this.#data = data;
    this.#config = config;
    this.#gradients = new GradientSum(model.parameters, { microBatches, world });
    this.#buffer = new ItemBatchBuffer(device, data.capacity);
    this.#rowLoss = device.createFlat("f32", rows);
    this.#stats = device.createFlat("f32", 4 * rows);
    this.#dropoutSeed = device.createFlat("u32", 4);
    if (config.loss === "bce") {
      const items = device.createFlat("u32", 2 * rows);
      this.#sampled = { items, occurrences: createOccurrences(device, 2 * rows) };
    }
    if (config.droWeight > 0) {
      const scales = robustScales(targetCounts(data.source, model.items), config.droTemperature);
      this.#robust = createRobustTerm(device, rows, { coefficient: config.droWeight, scales });
    }
  }

  /** Step `step` of the run, with row `row` of `log`. It waits for other ranks, where there are any. */
  async run(step: number, dealt: DealtStep, learningRate: number, log: LossLog, row: number): Promise<void> {
    const { device } = this.#model;
    const { micro, first, branches, weightSum } = dealt;
    this.#optimizer.prepare(step, learningRate);
    log.begin(row, dealt);
    if (micro.length === 0) this.#gradients.begin();
    micro.forEach((batch, i) => {
      const place = first + i;
      device.write(this.#dropoutSeed, new Uint32Array([this.#config.seed, place, step, 0]));
      log.prepare(batch, place);
      this.#buffer.write(batch.packed, 1 / weightSum);
      if (this.#sampled) {
        const random = new PhiloxStream(
          this.#config.seed,
          place === 0 ? "negatives" : `negatives ${place}`,
          step,
        );
        this.#writeSampled(this.#sampled, batch, random);
      }
      this.#gradients.begin(); // after the uploads: each submits what was recorded
      this.#record();
      log.record(this.#rowLoss);
      this.#gradients.add(i, micro.length);
    });
    await this.#gradients.reduce(branches);
    await this.#optimizer.step();
    device.submit();
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#model;
    this.#buffer.destroy();
    this.#gradients.destroy();
    for (const flat of [this.#rowLoss, this.#stats, this.#dropoutSeed]) device.destroy(flat);
    if (this.#robust) destroyRobustTerm(device, this.#robust);
    if (!this.#sampled) return;
    device.destroy(this.#sampled.items);
    destroyOccurrences(device, this.#sampled.occurrences);
  }

  #record(): void {
    const { device, parameters, outputName } = this.#model;
    const { labelSmoothing, dropout } = this.#config;
    const { batch } = this.#buffer;
    device.scope(() => {
      const tape = new Tape(device, true);
      const states = this.#model.states(
        tape,
        batch,
        (x, stream) => drop(tape, x, { rate: dropout, seed: this.#dropoutSeed, stream }),
      );
      const rows = {
        targets: batch.targets,
        weights: batch.weights,
        stats: this.#stats,
        rowLoss: this.#rowLoss,
      };
      if (this.#sampled) sampledLoss(tape, parameters, states, outputName, this.#sampled, rows);
      else vocabularyLoss(tape, parameters, states, outputName, rows, { labelSmoothing });
      if (this.#robust) robustLoss(tape, parameters, states, outputName, rows, this.#robust);
      tape.backward();
    });
  }

  #writeSampled(to: SampledItems, { packed, members }: MicroBatch, random: PhiloxStream): void {
    const { device, items } = this.#model;
    const { rows } = this.#data.capacity;
    const candidates = new Uint32Array(2 * rows).fill(NO_ROW);
    candidates.set(packed.targetTokens.subarray(0, packed.counts.targets));
    candidates.set(drawNegatives(this.#data.source, members, items, random, this.#config.negatives), rows);
    device.write(to.items, candidates);
    writeOccurrences(device, to.occurrences, candidates, candidates.length);
  }
}
