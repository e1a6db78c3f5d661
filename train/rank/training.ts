import { type DealtPart, gatherParts } from "../../base/parallel/gather_parts.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import { UserError } from "../../base/user_error.ts";
import { hitsAtK, mean, ndcgAtK, type Rank } from "../../eval/metrics.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Tape } from "../../kernels/tape.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { FeatureColumn } from "../../rank/features/features.ts";
import { inputCount } from "../../rank/features/standardise.ts";
import type { TargetLists } from "../../rank/lists/lists.ts";
import { RANKING_LOSSES } from "../../rank/losses/by_name.ts";
import { RankNetwork } from "../../rank/network/network.ts";
import type { BaselineFacts, BaselineInput, BaselineResult } from "../baselines/method.ts";
import { networkFiles } from "../run/checkpoint.ts";
import { epochRun, trainEpochs } from "../run/epoch_training.ts";
import { optimizerOptions, sharedMoments } from "../run/optimizer_options.ts";
import { ListBatchBuffer } from "./batch_buffer.ts";
import type { RankConfig } from "./config.ts";
import { epochBatches, listBatches, listCapacity, stepLists } from "./list_batches.ts";
import { RankStep } from "./step.ts";

/** What a ranker is trained on, and where it is kept. */
export interface RankTrainingInput extends Omit<BaselineInput, "dataset"> {
  /** Lists to learn from; their moments standardise the inputs of all. */
  lists: TargetLists;
  /** Lists that choose the best epoch; absent: the last one is kept. */
  valid?: TargetLists;
  /** Columns of both. */
  columns: readonly FeatureColumn[];
}

/**
 * Trains a ranker by whole epochs: a list is learned from where its target is among the candidates.
 * @throws {UserError} where no list has its target.
 * @throws {DivergenceError} when losses or gradients are not finite.
 */
export async function trainRanker(input: RankTrainingInput, config: RankConfig): Promise<BaselineResult> {
  const { device, lists, valid, columns, world = ALONE } = input;
  const { standardisation } = lists;
  const { seed, dropout, hiddenSize, numRankers, gradientAccumulationSteps: microBatches } = config;
  const count = lists.targets.length;
  if (count === 0) {
    throw new UserError(
      `Cannot learn to rank: the target is among the candidates of none of ${lists.samples} histories. Use longer lists ` +
        "(--list-length), or better runs",
    );
  }
  const batchSize = stepLists(count, config.batchSize);
  const batches = Array.from(
    { length: config.numTrainEpochs },
    (_, epoch) => () => epochBatches(lists, batchSize, seed, epoch),
  );
  const steps = batches.map((of) => of().length);
  const totalSteps = steps.reduce((sum, length) => sum + length, 0);
  const network = new RankNetwork(device, {
    model_type: "rank",
    num_inputs: inputCount(columns),
    hidden_size: hiddenSize,
    num_rankers: numRankers,
  });
  network.initialize(seed);
  const optimizer = new Optimizer(network.parameters, optimizerOptions(config), sharedMoments(config, world));
  const capacity = listCapacity(lists, Math.ceil(batchSize / microBatches));
  const loss = RANKING_LOSSES.find(({ name }) => name === config.loss)!;
  const step = new RankStep({
    network,
    optimizer,
    loss,
    lists,
    columns,
    standardisation,
    capacity,
    steps: Math.max(...steps),
    microBatches,
    world,
    dropout,
    seed,
  });
  const validation = valid && new RankValidation(device, network, valid, { columns, standardisation, world });
  let current: { epoch: number; batches: number[][] } | undefined;
  try {
    return await trainEpochs({
      ...epochRun(input, config, steps),
      optimizer,
      onStart: (done) => input.onStart?.(factsOf(network, lists, totalSteps, done)),
      async step(number, { epoch, i }, learningRate) {
        if (current?.epoch !== epoch) current = { epoch, batches: batches[epoch]() };
        await step.run(number, i, current.batches[i], learningRate);
      },
      async losses(steps) {
        const loss = await step.loss(steps);
        return { loss, bad: !Number.isFinite(loss) };
      },
      validate: async (signal) => await validation?.measure(signal),
      files: (state) => networkFiles(network, optimizer, state),
    });
  } finally {
    await device.settle(); // of a stopped run, work is in flight
    validation?.destroy();
    for (const part of [step, optimizer, network]) part.destroy();
  }
}

function factsOf(
  { parameters }: RankNetwork,
  { offsets, targets }: TargetLists,
  steps: number,
  done: number,
): BaselineFacts {
  return { parameters: parameters.count, sequences: targets.length, targets: offsets.at(-1)!, steps, done };
}

/** What a validation computes with beside its lists. */
interface ValidationParts extends Pick<RankTrainingInput, "columns">, Pick<TargetLists, "standardisation"> {
  world: World;
}

/** HR@10 and NDCG@10 over all samples; one whose target is no candidate is a miss. Batches are dealt to ranks. */
class RankValidation {
  readonly #network: RankNetwork;
  readonly #lists: TargetLists;
  readonly #inputs: ValidationParts;
  readonly #buffer: ListBatchBuffer;
  readonly #most: number;

  constructor(
    device: Device,
    network: RankNetwork,
    lists: TargetLists,
    inputs: ValidationParts,
  ) {
    this.#network = network;
    this.#lists = lists;
    this.#inputs = inputs;
    this.#most = Math.max(1, lists.targets.length);
    this.#buffer = new ListBatchBuffer(device, listCapacity(lists, this.#most), network.shape.num_inputs);
  }

  /** Undefined where `signal` cut it short. */
  async measure(signal: AbortSignal): Promise<{ hr10: number; ndcg10: number } | undefined> {
    const { device } = this.#network;
    const { columns, standardisation, world } = this.#inputs;
    const { samples, offsets, targets } = this.#lists;
    const found: DealtPart<Rank>[] = [];
    let first = 0;
    for (const [number, members] of listBatches(this.#lists, targets.keys(), this.#most).entries()) {
      const start = first;
      first += members.length;
      if (number % world.size !== world.rank) continue;
      if (signal.aborted) break;
      const starts = this.#buffer.write(this.#lists, members, columns, standardisation);
      const parts = await device.scope(() =>
        device.read(...this.#network.scores(new Tape(device, false), this.#buffer.inputs))
      );
      const scores = parts[0].map((_, row) => parts.reduce((sum, part) => sum + part[row], 0));
      const results = members.map((list, i) =>
        placeOf(scores.subarray(starts[i], starts[i + 1]), targets[list] - offsets[list])
      );
      found.push({ first: start, results });
    }
    const places = await gatherParts(world, found);
    if (places.length < targets.length) return undefined;
    const ranks = new Array<Rank>(samples - targets.length).fill(null).concat(places);
    return { hr10: mean(hitsAtK(ranks, 10)), ndcg10: mean(ndcgAtK(ranks, 10)) };
  }

  destroy(): void {
    this.#buffer.destroy();
  }
}

/** Place of an element by its value, the largest first, from 0; equal ones in their order. */
function placeOf(values: Float32Array, at: number): number {
  let place = 0;
  for (let other = 0; other < values.length; other++) {
    if (values[other] > values[at] || values[other] === values[at] && other < at) place++;
  }
  return place;
}
