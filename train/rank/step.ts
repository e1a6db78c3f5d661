import { sumFlat } from "../../kernels/reduce/sum.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { FeatureColumn } from "../../rank/features/features.ts";
import type { Standardisation } from "../../rank/features/standardise.ts";
import type { TargetLists } from "../../rank/lists/lists.ts";
import type { RankingLoss } from "../../rank/losses/losses.ts";
import type { RankNetwork } from "../../rank/network/network.ts";
import { ListBatchBuffer } from "./batch_buffer.ts";
import type { ListCapacity } from "./list_batches.ts";

/** What steps are made of. */
export interface RankStepParts {
  network: RankNetwork;
  optimizer: Optimizer;
  loss: RankingLoss;
  lists: TargetLists;
  columns: readonly FeatureColumn[];
  standardisation: Standardisation;
  capacity: ListCapacity;
  /** Steps of the longest epoch. */
  steps: number;
  dropout: number;
  seed: number;
}

/** Optimizer steps of a {@link RankNetwork}: forward, backward, update. Work is submitted, nothing is read. */
export class RankStep {
  /** Loss of each step of the epoch and ranker (steps, rankers). */
  readonly sums: Flat;
  readonly #parts: RankStepParts;
  readonly #buffer: ListBatchBuffer;
  /** (L) of each ranker. */
  readonly #losses: Flat[];
  /** Where the sum of each ranker goes in {@link sums}. */
  readonly #slots: Flat[];
  readonly #dropoutSeed: Flat;

  constructor(parts: RankStepParts) {
    const { network: { device, shape }, capacity, steps } = parts;
    this.#parts = parts;
    this.#buffer = new ListBatchBuffer(device, capacity, shape.num_inputs);
    const each = <T>(make: () => T) => Array.from({ length: shape.num_rankers }, make);
    this.#losses = each(() => device.createFlat("f32", capacity.lists));
    this.#slots = each(() => device.createFlat("u32", 1));
    this.#dropoutSeed = device.createFlat("u32", 4);
    this.sums = device.createFlat("f32", steps * shape.num_rankers);
  }

  /** Step `step` of the run, `i` of its epoch, on these lists. */
  run(step: number, i: number, members: readonly number[], learningRate: number): void {
    const { network, optimizer, loss, lists, columns, standardisation, dropout, seed } = this.#parts;
    const { device, parameters, shape } = network;
    optimizer.prepare(step, learningRate);
    parameters.clearGradients();
    this.#buffer.write(lists, members, columns, standardisation);
    device.write(this.#dropoutSeed, Uint32Array.of(seed, 0, step, 0));
    this.#slots.forEach((slot, ranker) => device.write(slot, Uint32Array.of(i * shape.num_rankers + ranker)));
    device.scope(() => {
      const tape = new Tape(device, true);
      const scores = network.scores(tape, this.#buffer.inputs, { rate: dropout, seed: this.#dropoutSeed });
      scores.forEach((each, ranker) => {
        loss.record(tape, each, this.#buffer.lists, this.#losses[ranker]);
        const slot = this.#slots[ranker];
        sumFlat(device, this.#losses[ranker], this.#losses[ranker].length, this.sums, slot);
      });
      tape.backward();
    });
    optimizer.step();
    device.submit();
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#parts.network;
    this.#buffer.destroy();
    for (const flat of [...this.#losses, ...this.#slots, this.#dropoutSeed, this.sums]) device.destroy(flat);
  }
}
