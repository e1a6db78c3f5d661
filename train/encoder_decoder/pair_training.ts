import { ALONE, gatherJson, type World } from "../../base/parallel/world.ts";
import { checkDealt } from "../ranks/dealt_step.ts";
import type { Dataset } from "../../data/dataset.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { pretrainedFiles } from "../../models/hugging_face/save_pretrained.ts";
import type { SavedFile } from "../../models/hugging_face/saved_file.ts";
import type { CodeTokens } from "../../prompts/code_tokens.ts";
import { buildTrie } from "../../sid/trie.ts";
import { TermLog } from "../../sid/quantizer/term_log.ts";
import type { BaselineInput, BaselineResult } from "../baselines/method.ts";
import { trainerFiles } from "../run/checkpoint.ts";
import type { TrainerState } from "../run/loss_log.ts";
import { epochRun, trainEpochs } from "../run/epoch_training.ts";
import { optimizerOptions, sharedMoments } from "../run/optimizer_options.ts";
import { round } from "../../base/round.ts";
import { Validation } from "../run/validation.ts";
import type { PairTrainingConfig } from "./pair_config.ts";
import { PairData, pairGroups } from "./pair_data.ts";
import { PairStep } from "./pair_step.ts";

/** What {@link trainPairs} is given beside model and SIDs. */
export interface PairTrainingInput extends BaselineInput {
  /** Files that go with every checkpoint, such as the index of its SIDs. */
  companions?: readonly ModelFile[];
}

/**
 * Trains an encoder-decoder to write the SIDs of next items, which stay as they are: TIGER (Rajput et al. 2023), and
 * the stages of ETEGRec with frozen tokens. Epoch by epoch, see `trainEpochs()`.
 * @throws {DivergenceError} when losses or gradients are not finite.
 */
export async function trainPairs(
  model: EncoderDecoder,
  tokens: CodeTokens,
  input: PairTrainingInput,
  config: PairTrainingConfig,
): Promise<BaselineResult> {
  const { device, dataset, world = ALONE } = input;
  const data = openPairData(model, tokens, dataset, config);
  // Both at once, since an epoch is planned for either.
  const plans = Array.from({ length: config.numTrainEpochs }, (_, epoch) => ({
    steps: data.steps(epoch),
    inputs: encoderRows(data, tokens, epoch),
  }));
  const steps = plans.map(({ steps }) => steps);
  const totalSteps = steps.reduce((sum, count) => sum + count, 0);
  const { gradientAccumulationSteps: microBatches } = config;
  checkDealt(microBatches, world, `--gradient-accumulation-steps ${microBatches * world.size}`);
  const optimizer = new Optimizer(model.parameters, optimizerOptions(config), sharedMoments(config, world));
  const log = new TermLog(device, Math.max(...steps) * config.gradientAccumulationSteps);
  const training = new PairStep({
    model,
    optimizer,
    capacity: data.capacity,
    tokensPerItem: tokens.longest,
    inputs: Math.max(...plans.map(({ inputs }) => inputs)),
    microBatches,
    world,
  }, config);
  const validation = pairValidation(device, tokens, dataset, { ...config, world });
  const trie = new DeviceTrie(device, buildTrie(tokens.itemTokens));
  try {
    return await trainEpochs({
      ...epochRun(input, config, steps),
      optimizer,
      onStart: (done) =>
        input.onStart?.({
          parameters: model.parameters.count,
          sequences: data.epoch.groups,
          targets: data.epoch.targets,
          steps: totalSteps,
          done,
        }),
      async step(step, { epoch, i }, learningRate) {
        const micro = data.groups(epoch, i).map((groups) => pairGroups(groups, tokens.itemTokens));
        await training.run(step, micro, trie, learningRate, log);
      },
      async losses(steps, epoch) {
        const { terms, ...losses } = await meanLosses(log, steps, world);
        return { ...losses, terms: { ...terms, tokens: data.tokens(epoch, tokens.itemTokens) } };
      },
      validate: async (signal) => await validation?.quality(model, signal),
      files: (state) => pairCheckpoint({ model, optimizer, state, companions: input.companions ?? [] }),
    });
  } finally {
    await device.settle(); // of a stopped run, work is in flight
    for (const part of [training, log, optimizer, trie]) part.destroy();
    validation?.destroy();
  }
}

/** The train split in steps for a model. Throws {@link UserError} where nothing is left to train on. */
export function openPairData(
  model: EncoderDecoder,
  tokens: CodeTokens,
  dataset: Dataset,
  { maxHistory, tokensPerBatch, gradientAccumulationSteps: accumulation, seed }: Pick<
    PairTrainingConfig,
    "maxHistory" | "tokensPerBatch" | "gradientAccumulationSteps" | "seed"
  >,
): PairData {
  const total = tokens.itemTokens.reduce((sum, { length }) => sum + length, 0);
  // By the mean length: where few items of equal codes have one more, that of the longest would leave batches short.
  const itemsPerBatch = Math.floor(tokensPerBatch * tokens.itemTokens.length / total);
  return new PairData(dataset, { causal: model.causal, maxHistory, itemsPerBatch, accumulation }, seed);
}

// So that few sizes of matrices exist.
const ROW_BLOCK = 64;

/** Rows of the encoder in the longest micro batch of an epoch, in whole blocks. */
export function encoderRows(data: PairData, { itemTokens }: CodeTokens, epoch: number): number {
  return Math.ceil(data.mostTokens(epoch, itemTokens) / ROW_BLOCK) * ROW_BLOCK;
}

/** Validation by beam search on a subsample; undefined where the split is empty or no samples are asked for. */
export function pairValidation(
  device: Device,
  tokens: CodeTokens,
  { name, samples }: Dataset,
  { evalSamples, evalBeams, normalisation, seed, world }:
    & Pick<PairTrainingConfig, "evalSamples" | "evalBeams" | "normalisation" | "seed">
    & { world?: World },
): Validation | undefined {
  const valid = samples.valid.filter(({ history }) => history.length > 0);
  if (valid.length === 0 || evalSamples === 0) return undefined;
  return new Validation({
    device,
    dataset: name,
    valid,
    prompts: tokens,
    samples: evalSamples,
    beams: evalBeams,
    normalisation,
    tokensPerBatch: 0,
    seed,
    world,
  });
}

/**
 * Means over so many steps, whose micro batches have logged their shares: of every term, and of their sum. Waits for the
 * device.
 */
export async function meanLosses(
  log: TermLog,
  steps: number,
  world: World = ALONE,
): Promise<{ loss: number; terms: Record<string, number>; bad: boolean }> {
  const ofRanks = (await gatherJson(world, [...await log.read()])).map((terms) => new Map(terms));
  const names = new Set(ofRanks.flatMap((terms) => [...terms.keys()]));
  const means = Array.from(names, (term) => {
    const all = ofRanks.flatMap((terms) => terms.has(term) ? [terms.get(term)!] : []);
    // A micro batch is of one rank, the others have 0 there.
    const losses = all[0].map((_, i) => all.reduce((sum, own) => sum + own[i], 0));
    return [term, losses.reduce((sum, loss) => sum + loss, 0) / steps] as const;
  });
  const loss = means.reduce((sum, [, mean]) => sum + mean, 0);
  // One term is the loss.
  const terms = Object.fromEntries(
    means.length > 1 ? means.map(([term, mean]) => [term, round(mean, 5)]) : [],
  );
  return { loss, terms, bad: !Number.isFinite(loss) };
}

/** Files of a checkpoint: the model as transformers stores T5 (averaged weights where EMA is on), and the trainer's. */
export async function* pairCheckpoint(
  { model, optimizer, state, companions }: {
    model: EncoderDecoder;
    optimizer: Optimizer;
    state: TrainerState;
    companions: readonly ModelFile[];
  },
): AsyncGenerator<SavedFile> {
  const { parameters, config } = model;
  const shapes = parameters.specs.flatMap(partsOf);
  yield* pretrainedFiles(config, shapes, parameters.readPieces(optimizer.average), { companions });
  yield* trainerFiles(optimizer, state);
}
