import type { Decoder } from "../../models/decoder/decoder.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { type Stopped, train } from "../../models/training/loop.ts";
import { checkpointFiles, loadTrainer } from "../run/checkpoint.ts";
import { failedBatchFiles } from "../run/failed_batch.ts";
import type { StartReports } from "../observers/observer.ts";
import type { RunDirectory } from "../run/directory.ts";
import { RunStore } from "../run/store.ts";
import { ALONE } from "../../base/parallel/world.ts";
import { valuesDigest } from "../run/checkpoint.ts";
import type { TrainerState } from "../run/loss_log.ts";
import { type SftKeeping, SftTraining, type SftTrainingInput } from "./training.ts";

/** What to train on, how, and where it is kept. */
export interface SftInput extends SftTrainingInput {
  /**
   * Makes the model once data and settings are known to fit, which is freed at the end; its weights on a resume are those
   * of a checkpoint.
   */
  makeDecoder(): Decoder | Promise<Decoder>;
  /** Where metrics and checkpoints are written; `create()` it before, or in `onStart()`. */
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
  /** Text of token ids, for the sequences of a step that failed. */
  decode?(tokens: Uint32Array): string;
  /** Files that go with every checkpoint, such as those of the tokenizer. */
  companions?: readonly ModelFile[];
}

/** How a run ended. */
export interface SftResult {
  /** Optimizer steps of this call, those before a resume not counted. */
  steps: number;
  /** Why training ended; `early`: validations stopped getting better. */
  stopped: Stopped;
  /** The best validation of the whole run; null where there was none. */
  best: TrainerState["best"];
  /** Training time of the whole run, resumed parts included. */
  seconds: number;
  /** Packed tokens of this call over its time. */
  tokensPerSecond: number;
}

/**
 * Supervised fine-tuning of a decoder, by {@link train}. A run that was stopped, even killed, and resumed gives the same
 * bytes as one that was not. Throws {@link DivergenceError} when loss or weights are not finite.
 */
export async function trainSft(input: SftInput): Promise<SftResult> {
  const decoder = await input.makeDecoder();
  const training = new SftTraining(input, decoder, (training) => inRunDirectory(training, input));
  try {
    const { steps, stopped, seconds, state: { best } } = await train(training);
    return { steps, stopped, best, seconds, tokensPerSecond: training.tokens / Math.max(seconds, 1e-9) };
  } finally {
    training.destroy();
    decoder.destroy();
  }
}

const SAVED_FORMATS = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

/** Keeps a training in its run directory. */
function inRunDirectory(
  training: SftTraining,
  {
    run,
    resume,
    world = ALONE,
    openObserver,
    companions = [],
    config: { model: baseModel, saveDtype, zeroStage },
    data: { source },
    decode,
  }: SftInput,
): SftKeeping {
  const { decoder, optimizer } = training;
  const store = new RunStore<TrainerState>({
    run,
    resume,
    ranks: { world, digest: () => valuesDigest(decoder.parameters), makeTogether: zeroStage > 0 },
    openObserver,
    async load(folder) {
      const { arrays, state } = await loadTrainer(folder);
      await optimizer.restore(arrays, folder);
      return state;
    },
    async files(state) {
      state.pending = await training.pending(state.step);
      await optimizer.gatherAverage();
      const dtype = SAVED_FORMATS[saveDtype];
      return checkpointFiles({ decoder, optimizer, state, companions, baseModel, dtype });
    },
  });
  return {
    store,
    async saveFailed(failed) {
      if (world.rank > 0) return "The first rank keeps what it learned from";
      const folder = await run.saveFailedBatch(failed.step + 1, failedBatchFiles(failed, source, decode));
      return `What it learned from is in ${folder}; the checkpoints before are intact`;
    },
  };
}
