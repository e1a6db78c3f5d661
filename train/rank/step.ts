import { branchOf } from "../../base/parallel/tree_sum.ts";
import { ALONE, gatherJson, type World } from "../../base/parallel/world.ts";
import { sumFlat } from "../../kernels/reduce/sum.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { GradientSum } from "../../models/optimizer/gradient_sum.ts";
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
  /** Room for a micro batch. */
  capacity: ListCapacity;
  /** Steps of the longest epoch. */
  steps: number;
  /** Micro batches of a step at most. */
  microBatches: number;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
  dropout: number;
  seed: number;
}

/** Optimizer steps of a {@link RankNetwork}: forward, backward, update. Work is submitted; only sums over ranks are read. */
export class RankStep {
  /** Loss of each micro batch of the epoch and ranker (steps, micro batches, rankers); those of other ranks are 0. */
  readonly #sums: Flat;
  readonly #gradients: GradientSum;
  readonly #world: World;
  readonly #parts: RankStepParts;
  readonly #buffer: ListBatchBuffer;
  /** (L) of each ranker. */
  readonly #losses: Flat[];
  /** Where the sum of each ranker goes in {@link #sums}. */
  readonly #slots: Flat[];
  readonly #dropoutSeed: Flat;

  constructor(parts: RankStepParts) {
    const { network: { device, shape, parameters }, capacity, steps, microBatches, world = ALONE } = parts;
    this.#parts = parts;
    this.#world = world;
    this.#gradients = new GradientSum(parameters, { microBatches, world });
    this.#buffer = new ListBatchBuffer(device, capacity, shape.num_inputs);
    const each = <T>(make: () => T) => Array.from({ length: shape.num_rankers }, make);
    this.#losses = each(() => device.createFlat("f32", capacity.lists));
    this.#slots = each(() => device.createFlat("u32", 1));
    this.#dropoutSeed = device.createFlat("u32", 4);
    this.#sums = device.createFlat("f32", steps * microBatches * shape.num_rankers);
  }

  /** Step `step` of the run, `i` of its epoch, on these lists. It waits for other ranks, where there are any. */
  async run(step: number, i: number, members: readonly number[], learningRate: number): Promise<void> {
    const { network: { device }, optimizer, microBatches } = this.#parts;
    const micro = cut(members, microBatches);
    const { first, end, branches } = branchOf(micro.length, this.#world);
    optimizer.prepare(step, learningRate);
    if (first === end) this.#gradients.begin();
    for (let place = first; place < end; place++) {
      this.#write(micro[place], members.length, { step, row: i * microBatches + place, place });
      this.#gradients.begin(); // after the uploads: each submits what was recorded
      this.#record();
      this.#gradients.add(place - first, end - first);
    }
    await this.#gradients.reduce(branches);
    await optimizer.step();
    device.submit();
  }

  /** Mean loss over rankers and the first `steps` steps of the epoch, whose sums begin anew. Waits for the device. */
  async loss(steps: number): Promise<number> {
    const { network: { device, shape }, microBatches } = this.#parts;
    const [read] = await device.read(this.#sums);
    device.clear(this.#sums);
    const own = [...read.subarray(0, steps * microBatches * shape.num_rankers)];
    const ofRanks = await gatherJson(this.#world, own);
    // A micro batch is of one rank, the others have 0 there.
    const sums = own.map((_, i) => ofRanks.reduce((sum, of) => sum + of[i], 0));
    return sums.reduce((sum, value) => sum + value, 0) / (steps * shape.num_rankers);
  }

  /** Uploads a micro batch of a step of so many lists: its row in {@link #sums}, and its place in the step. */
  #write(
    members: readonly number[],
    stepLists: number,
    { step, row, place }: { step: number; row: number; place: number },
  ): void {
    const { network: { device, shape }, lists, columns, standardisation, seed } = this.#parts;
    this.#buffer.write(lists, members, columns, standardisation, stepLists);
    device.write(this.#dropoutSeed, Uint32Array.of(seed, place, step, 0));
    this.#slots.forEach((slot, ranker) =>
      device.write(slot, Uint32Array.of(row * shape.num_rankers + ranker))
    );
  }

  #record(): void {
    const { network, loss, dropout } = this.#parts;
    const { device } = network;
    device.scope(() => {
      const tape = new Tape(device, true);
      const scores = network.scores(tape, this.#buffer.inputs, { rate: dropout, seed: this.#dropoutSeed });
      scores.forEach((each, ranker) => {
        loss.record(tape, each, this.#buffer.lists, this.#losses[ranker]);
        const slot = this.#slots[ranker];
        sumFlat(device, this.#losses[ranker], this.#losses[ranker].length, this.#sums, slot);
      });
      tape.backward();
    });
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#parts.network;
    this.#buffer.destroy();
    this.#gradients.destroy();
    for (const flat of [...this.#losses, ...this.#slots, this.#dropoutSeed, this.#sums]) device.destroy(flat);
  }
}

/** Cuts the lists of a step into `parts` of about one length, or into one a list where these are fewer. */
function cut(members: readonly number[], parts: number): number[][] {
  const count = Math.min(parts, members.length);
  return Array.from(
    { length: count },
    (_, i) =>
      members.slice(Math.floor(i * members.length / count), Math.floor((i + 1) * members.length / count)),
  );
}
