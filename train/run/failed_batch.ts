import type { SequenceSource } from "../../data/packing/sequence_source.ts";

/** The optimizer step whose loss or gradient was not finite. */
export interface FailedStep {
  /** Number of the step, from 0. */
  step: number;
  /** What is known of it, such as loss, gradient norm and learning rate. */
  facts: Record<string, unknown>;
  /** Sequences of each micro batch, by their numbers in the source. */
  microBatches: readonly { members: readonly number[] }[];
}

/**
 * Files that show what a step was made of: `step.json` has its facts, `sequences.jsonl` one line a sequence with micro
 * batch, number in the source, task, tokens (also as text, where `decode` is given) and targets {at, token, weight}.
 */
export function failedBatchFiles(
  { step, facts, microBatches }: FailedStep,
  source: SequenceSource,
  decode?: (tokens: Uint32Array) => string,
): Record<string, string> {
  const lines = microBatches.flatMap(({ members }, microBatch) =>
    members.map((sequence) => {
      const { tokens, targets } = source.make(sequence);
      const line = { microBatch, sequence, task: source.tasks[source.taskOf(sequence)] };
      // JSON has no NaN and no infinity, which may be what made the step fail.
      const shown = targets.map(({ weight, ...target }) => ({
        ...target,
        weight: Number.isFinite(weight) ? weight : String(weight),
      }));
      return JSON.stringify({ ...line, text: decode?.(tokens), tokens: [...tokens], targets: shown });
    })
  );
  const named = Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
    ]),
  );
  return {
    "step.json": JSON.stringify({ step, ...named, sequences: lines.length }, null, 2) + "\n",
    "sequences.jsonl": lines.map((line) => line + "\n").join(""),
  };
}
