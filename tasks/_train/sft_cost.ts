import { cpuUsage } from "node:process";
import { pipelinesBeyond } from "../../kernels/gpu/bindings.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { ranksHere } from "../../base/parallel/agree.ts";
import { matmul } from "../../kernels/matmul/matmul.ts";
import {
  estimateTraining,
  formatEstimate,
  type HostMemory,
  type TrainingEstimate,
} from "../../train/run/estimate.ts";
import { checkMemory, memoryRemedies } from "../../train/run/memory_check.ts";
import type { PackedData } from "../../train/run/packed_data.ts";
import { memorySettings, type PlanParts, trainingPlan, withMemorySettings } from "../../train/sft/cost.ts";
import type { DecoderInputs } from "../../train/sft/decoder.ts";
import type { SftConfig } from "../../train/sft/config.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { kernelBytes, processBytes, tellMemory } from "../_cli/memory.ts";
import type { SftInputs } from "./sft_inputs.ts";

const GIB = 1024 ** 3;
/** What training reaches of the rate of a product: 20 of 45 GFLOP/s on a CPU adapter (docs/benchmarks/kernels.md). */
export const TRAINING_SHARE = 0.45;

/**
 * Estimates what a run takes, prints it for a dry run, and refuses a run for which there is not enough memory. Matrices
 * of a CPU adapter lie in the memory of the machine; that of a GPU is not told, so only `memoryLimit` (GiB) is checked.
 */
export async function checkCost(
  device: Device,
  inputs: DecoderInputs & Pick<SftInputs, "tokenizer">,
  data: PackedData,
  settings: SftConfig,
  { dryRun, memoryLimit, ...parts }: { dryRun: boolean; memoryLimit: number } & PlanParts,
  io: TaskIO,
): Promise<void> {
  const plan = trainingPlan(inputs, data, settings, io.world, parts);
  const estimate = await estimateTraining(device, plan);
  const kernelsOf = ({ compiled }: TrainingEstimate) => pipelinesBeyond(device.compiled, compiled);
  // Matrices of a CPU adapter share the memory of the process, which has its data and the library by now.
  const process = processBytes(device);
  const host = (estimate: TrainingEstimate): HostMemory =>
    device.isCpu
      ? { process, "writing checkpoints": estimate.saving, kernels: kernelBytes(kernelsOf(estimate)) }
      : {};
  if (dryRun) {
    const rate = TRAINING_SHARE * await productRate(device);
    formatEstimate(estimate, rate, host(estimate)).forEach((line) => io.log(line));
  } else {
    const { memory: { total }, saving } = estimate;
    const bytes = total + (device.isCpu ? saving : 0);
    tellMemory(device, bytes, "the training, its validations and checkpoints", io, kernelsOf(estimate));
  }
  const available = memoryLimit > 0
    ? memoryLimit * GIB
    : device.isCpu
    ? Deno.systemMemoryInfo().available / ranksHere(io.world) + Deno.memoryUsage().rss
    : Infinity;
  const remedies = memoryRemedies(memorySettings(settings), {
    longest: data.longest,
    pretrained: inputs.pretrained !== undefined,
    half: !device.isCpu && device.features.has("shader-f16"),
    trimmable: inputs.tokenizer !== undefined,
    ranks: io.world.size,
  });
  await checkMemory(device, estimate, available, remedies, (changed) => {
    const config = withMemorySettings(settings, changed);
    const isTrimmed = changed.trimVocabulary && !settings.trimVocabulary;
    const given = isTrimmed ? withTrimmedVocabulary(inputs, data) : inputs;
    // A search knows the tokens of the index, which have other numbers in a smaller vocabulary.
    const plan = trainingPlan(given, data, config, io.world, isTrimmed ? { trie: parts.trie } : parts);
    return { ...plan, capacity: capacityOf(data, config.tokensPerBatch) };
  }, (changed) => {
    const unseen = changed.memory.validation === 0 ? estimate.memory.validation : 0;
    return { ...host(changed), validations: unseen };
  });
}

/** The model with about the rows that a trimmed vocabulary leaves; rows that go are known ones, which may be frozen. */
function withTrimmedVocabulary(inputs: DecoderInputs, data: PackedData): DecoderInputs {
  const { architecture, frozenRows = 0 } = inputs;
  const left = Math.min(architecture.vocab_size, trimmedVocabulary(data));
  return {
    ...inputs,
    architecture: { ...architecture, vocab_size: left },
    frozenRows: Math.max(0, frozenRows - (architecture.vocab_size - left)),
  };
}

/** About the tokens that are left of a trimmed vocabulary: all that the sequences have, and every byte. */
function trimmedVocabulary({ source }: PackedData): number {
  const used = new Set<number>();
  for (let i = 0; i < source.count; i++) {
    const { tokens, targets } = source.make(i);
    for (const token of tokens) used.add(token);
    for (const { token } of targets) used.add(token);
  }
  return used.size + 256;
}

/** Rows of a micro batch of `tokens`, with targets in the same proportion. */
function capacityOf({ capacity }: PackedData, tokens: number) {
  return { tokens, rows: Math.ceil(capacity.rows * tokens / capacity.tokens) };
}

/**
 * Floating point operations a second of a product of two square matrices, measured in a fraction of a second. A CPU adapter
 * computes on the cores of this process, so its processor time tells what it does where nothing else runs.
 */
export async function productRate(device: Device): Promise<number> {
  const width = 1024, times = 3;
  const a = device.createMatrix(width, width);
  const run = (count: number) =>
    device.scope(async () => {
      const started = device.isCpu ? cpuUsage() : undefined, at = performance.now();
      for (let i = 0; i < count; i++) device.release(matmul(device, a, a));
      await device.settle();
      if (started === undefined) return performance.now() - at;
      const { user, system } = cpuUsage(started);
      return (user + system) / 1000 / navigator.hardwareConcurrency;
    });
  await run(1); // compiles
  const one = await run(1);
  const more = await run(1 + times);
  device.destroy(a);
  return 2 * width ** 3 * times / (Math.max(more - one, 0.1) / 1000);
}
