import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { DeviceError } from "../../kernels/gpu/device_error.ts";
import { type OptimName, UPDATE_RULES } from "../../models/optimizer/rules/by_name.ts";
import {
  estimateTraining,
  formatBytes,
  type HostMemory,
  takenBytes,
  type TrainingEstimate,
  type TrainingMemory,
  type TrainingPlan,
} from "./estimate.ts";

/** Settings that decide how much memory a run takes. */
export interface MemorySettings {
  /** Packed tokens of a micro batch. */
  tokensPerBatch: number;
  gradientCheckpointing: boolean;
  dtype: "float32" | "float16";
  /** What is trained: all weights, low-rank adapters and new rows, or new rows alone. */
  tuning: "full" | "lora" | "freeze";
  /** Decay of averaged weights; 0 keeps none. */
  emaDecay: number;
  /** How gradients become steps. */
  optim: OptimName;
  /** 1: ranks keep a share of the moments each. */
  zeroStage: number;
  /** Whether the vocabulary is cut to the tokens that occur. */
  trimVocabulary: boolean;
}

/** A change that a user could make, in steps of which each saves more than the one before. */
export type Remedy = { change: string; settings: MemorySettings }[];

const LEAST_TOKENS = 256;
const REMEDIES_TOLD = 3;

/**
 * What could be changed, in the order of what it costs: first what leaves the result as it is. `longest` is the longest
 * sequence, which a micro batch must hold; `pretrained` says that most of the model can stay frozen, `half` that the
 * adapter has float16, `trimmable` that its tokenizer may know words that no text has; `ranks` train together.
 */
export function memoryRemedies(
  settings: MemorySettings,
  { longest, pretrained, half, trimmable, ranks }: {
    longest: number;
    pretrained: boolean;
    half: boolean;
    trimmable: boolean;
    ranks: number;
  },
): Remedy[] {
  const { tokensPerBatch, gradientCheckpointing, dtype, tuning, emaDecay, trimVocabulary, optim, zeroStage } =
    settings;
  const step = (change: string, changed: Partial<MemorySettings>) => ({
    change,
    settings: { ...settings, ...changed },
  });
  const smaller: Remedy = [];
  for (let times = 2; tokensPerBatch / times >= Math.max(longest, LEAST_TOKENS); times *= 2) {
    const tokens = Math.floor(tokensPerBatch / times);
    smaller.push(
      step(`--tokens-per-batch ${tokens} with ${times} times the gradient accumulation`, {
        tokensPerBatch: tokens,
      }),
    );
  }
  const remedies = [
    smaller,
    ranks > 1 && zeroStage === 0 && UPDATE_RULES[optim].isShared
      ? [step("--zero-stage 1", { zeroStage: 1 })]
      : [],
    gradientCheckpointing ? [] : [step("--gradient-checkpointing", { gradientCheckpointing: true })],
    trimmable && !trimVocabulary ? [step("--trim-vocabulary", { trimVocabulary: true })] : [],
    emaDecay > 0 ? [step("--ema-decay 0", { emaDecay: 0 })] : [],
    optim === "adamw_torch" && zeroStage === 0
      ? (["adamw_8bit", "adafactor"] as const).map((optim) => step(`--optim ${optim}`, { optim }))
      : [],
    half && dtype === "float32" ? [step("--dtype float16", { dtype: "float16" })] : [],
    pretrained && tuning === "full" ? [step("--lora-r 16", { tuning: "lora" })] : [],
    pretrained && tuning !== "freeze" ? [step("--freeze llm", { tuning: "freeze" })] : [],
  ];
  return remedies.filter(({ length }) => length > 0);
}

/**
 * Throws {@link UserError} where a run takes more than `available` bytes, with the three cheapest remedies: the first of
 * `remedies` that are enough, or where none is, those that save most. `planOf` gives the run with other settings, `host` what
 * else counts beside the matrices.
 */
export async function checkMemory(
  device: Device,
  estimate: TrainingEstimate,
  available: number,
  remedies: readonly Remedy[],
  planOf: (settings: MemorySettings) => TrainingPlan,
  host: (estimate: TrainingEstimate) => HostMemory = () => ({}),
): Promise<void> {
  const held = host(estimate);
  const taken = takenBytes(estimate, held);
  if (taken <= available) return;
  const enough: { change: string; bytes: number }[] = [];
  const helping: { change: string; bytes: number }[] = [];
  for (const remedy of remedies) {
    if (enough.length === REMEDIES_TOLD) break;
    let last: { change: string; bytes: number } | undefined;
    for (const { change, settings } of remedy) {
      last = { change, bytes: await bytesOf(device, planOf(settings), host) };
      if (last.bytes <= available) break;
    }
    if (!last) continue;
    if (last.bytes <= available) enough.push(last);
    else if (last.bytes < taken) helping.push(last);
  }
  const told = (list: typeof enough, word: string) =>
    list.slice(0, REMEDIES_TOLD).map(({ change, bytes }) => `${change} (${formatBytes(bytes)})`).join(word);
  const advice = enough.length > 0
    ? `Enough would be ${told(enough, ", or ")}`
    : helping.length > 0
    ? `Nothing is enough alone, combine ${told(helping.sort((a, b) => a.bytes - b.bytes), ", ")}`
    : "Take a smaller model or another machine";
  throw new UserError(
    `Cannot train in ${formatBytes(available)} of memory: this run takes ${
      formatBytes(taken)
    }, most of it for ` +
      `${largestParts({ ...estimate.memory, ...held })}. ${advice}`,
  );
}

async function bytesOf(
  device: Device,
  plan: TrainingPlan,
  host: (estimate: TrainingEstimate) => HostMemory,
): Promise<number> {
  try {
    const estimate = await estimateTraining(device, plan);
    return takenBytes(estimate, host(estimate));
  } catch (error) {
    if (error instanceof DeviceError) return Infinity; // beyond a limit of the adapter
    throw error;
  }
}

function largestParts({ total: _, ...parts }: TrainingMemory & HostMemory): string {
  return Object.entries(parts).sort(([, a], [, b]) => b - a).slice(0, 2)
    .map(([part, bytes]) => `${part} (${formatBytes(bytes)})`).join(" and ");
}
