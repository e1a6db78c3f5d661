import { z } from "zod";
import { readJson } from "../data/json_file.ts";
import { UserError } from "../data/user_error.ts";
import type { Device } from "../kernels/device.ts";
import { readDecoderConfig, writeDecoderConfig } from "../models/config.ts";
import { Decoder } from "../models/decoder.ts";
import { findNonFinite, readSafetensors, writeSafetensors } from "../models/safetensors.ts";
import type { OptimizerState } from "../models/optimizer.ts";

/** Where a run stands, beside its arrays. All that exact resume needs: data order and dropout follow from step and seed. */
export interface TrainerState {
  /** Optimizer steps done so far. */
  step: number;
  /** Best validation score so far, the step that reached it, and evaluations since. */
  best: { score: number; step: number; stale: number } | null;
  /** Seconds of training before this checkpoint. */
  seconds: number;
  /** Losses since the last log line: see `LossLog`. */
  pending: { sums: number[]; shares: number[][] };
  /** The run was stopped between this step and its validation, which a resumed run catches up on. */
  validationDue: boolean;
}

const State = z.strictObject({
  step: z.int().min(0),
  best: z.strictObject({ score: z.number(), step: z.int(), stale: z.int() }).nullable(),
  seconds: z.number(),
  pending: z.strictObject({ sums: z.array(z.number()), shares: z.array(z.array(z.number())) }),
  validationDue: z.boolean().default(false),
}) satisfies z.ZodType<TrainerState>;

/** Training that led to numbers that are not finite: going on from its checkpoint would lead there again. */
export class DivergenceError extends UserError {
  /** Shown before the message in stack traces. */
  override name = "DivergenceError";
}

/**
 * Files of a checkpoint: the model as Hugging Face saves it (`model.safetensors`, `config.json`; the averaged weights
 * where EMA is on) and what training needs to go on (`trainer.safetensors`, `trainer.json`).
 */
export function checkpointFiles(
  decoder: Decoder,
  arrays: OptimizerState,
  state: TrainerState,
): Record<string, string | Uint8Array> {
  const weights = decoder.parameters.toTensors(arrays.ema ?? arrays.values);
  const bad = findNonFinite(weights);
  if (bad) {
    throw new DivergenceError(
      `Cannot save step ${state.step}: tensor ${bad.name} holds ${bad.value} at ${bad.index}. ` +
        "The checkpoints before are intact. Start another run with a lower --learning-rate",
    );
  }
  const flats = new Map(Object.entries(arrays).map(([name, data]) => [name, { shape: [data.length], data }]));
  return {
    "model.safetensors": writeSafetensors(weights, { metadata: { format: "pt" } }),
    "config.json": writeDecoderConfig(decoder.config),
    "trainer.safetensors": writeSafetensors(flats),
    "trainer.json": formatState(state),
  };
}

/** Text of `trainer.json`. */
export function formatState(state: TrainerState): string {
  return JSON.stringify(state, null, 2) + "\n";
}

/** Builds the decoder of a checkpoint or Hugging Face directory. Throws {@link UserError} for what cannot be used. */
export async function loadDecoder(device: Device, directory: string): Promise<Decoder> {
  const config = readDecoderConfig(await readText(`${directory}/config.json`), `${directory}/config.json`);
  const source = `${directory}/model.safetensors`;
  const tensors = readSafetensors(await readBytes(source), source);
  const bad = findNonFinite(tensors);
  if (bad) {
    throw new UserError(`Cannot load ${source}: tensor ${bad.name} holds ${bad.value} at ${bad.index}`);
  }
  const decoder = new Decoder(device, config);
  decoder.parameters.load(tensors, source);
  return decoder;
}

/** Optimizer arrays and position of a checkpoint. Throws {@link UserError} for files that are cut off or not finite. */
export async function loadTrainer(
  directory: string,
): Promise<{ arrays: OptimizerState; state: TrainerState }> {
  const source = `${directory}/trainer.safetensors`;
  const tensors = readSafetensors(await readBytes(source), source);
  const bad = findNonFinite(tensors);
  if (bad) {
    throw new UserError(
      `Cannot resume from ${source}: array ${bad.name} holds ${bad.value} at ${bad.index}, expected finite numbers. ` +
        "Start another run",
    );
  }
  const arrays = Object.fromEntries([...tensors].map(([name, { data }]) => [name, data]));
  return { arrays, state: await readJson(`${directory}/trainer.json`, State) };
}

async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "no such file" : (error as Error).message;
    throw new UserError(
      `Cannot read ${path}: ${why}. Expected a checkpoint or a Hugging Face model directory`,
    );
  }
}
