import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import type { TrainingState } from "../../models/training/state.ts";

/** Where a run of reinforcement learning stands, beside the arrays of its optimizer: `rl.json` of a checkpoint. */
export interface RlState extends TrainingState {
  /** Validations so far. */
  validations: number;
  /** Place of each valid sample's target before the first step, -1 where it was not found. */
  firstRanks: number[];
  /** The same at the best step. */
  bestRanks: number[];
  /** What the schedule's learning rate is multiplied by: halved wherever the KL divergence was too large. */
  learningRateScale: number;
  /** Steps in a row that had nothing to learn from. */
  alikeSteps: number;
  /** Sums since the last line of the log: see `DiagnosticSums`. */
  sums: Record<string, number>;
}

const State = z.strictObject({
  step: z.int().min(0),
  best: z.strictObject({ score: z.number(), step: z.int(), stale: z.int() }).nullable(),
  validations: z.int().min(0),
  firstRanks: z.array(z.int()),
  bestRanks: z.array(z.int()),
  learningRateScale: z.number(),
  alikeSteps: z.int().min(0).default(0),
  seconds: z.number(),
  validationDue: z.boolean(),
  sums: z.record(z.string(), z.number()),
}) satisfies z.ZodType<RlState>;

/** The state before the first step: the first validation is of the weights that the run starts from. */
export function freshRlState(): RlState {
  return {
    step: 0,
    best: null,
    validations: 0,
    firstRanks: [],
    bestRanks: [],
    learningRateScale: 1,
    alikeSteps: 0,
    seconds: 0,
    validationDue: true,
    sums: {},
  };
}

/** Contents of `rl.json`. */
export function formatRlState(state: RlState): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(state) + "\n");
}

/** State of a checkpoint, and the weights of its reference where they had moved. */
export async function loadRlState(folder: string): Promise<{ state: RlState; reference?: Uint8Array }> {
  const state = await readJson(`${folder}/rl.json`, State);
  // Of a run that was stopped in its first validation, older ones do not say that it is due.
  if (state.validations === 0) state.validationDue = true;
  const path = `${folder}/reference.safetensors`;
  return { state, ...(await isFile(path) ? { reference: await Deno.readFile(path) } : {}) };
}
