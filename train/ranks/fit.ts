import { z } from "zod";
import { UserError } from "../../base/user_error.ts";

const Step = z.strictObject({
  model: z.string(),
  parameters: z.number().positive(),
  ranks: z.int().positive(),
  microBatches: z.int().positive(),
  seconds: z.number().positive(),
});

/** A file of measured steps. */
export const MeasuredSteps = z.strictObject({ cores: z.int().positive(), steps: z.array(Step).min(1) });

/** Seconds of a step that were measured, of ranks on one machine. */
export type MeasuredStep = z.output<typeof Step>;

/** Rates that explain measured steps best. */
export interface FittedRates {
  /** Seconds of a micro batch, by model. */
  microBatch: Record<string, number>;
  /** Seconds that summing a number of the gradient takes, copies and messages included. */
  number: number;
  /** Seconds that a step of several ranks takes besides, as they wait for each other. */
  meeting: number;
  /** What the model says of each step. */
  predicted: number[];
  /** Largest and mean relative error. */
  largestError: number;
  meanError: number;
}

/**
 * Fits seconds = micro batches of a rank * their seconds * share of a core + numbers * (ranks - 1) / ranks * seconds of a
 * number + seconds of meeting, where there are several ranks, by least squares of relative errors; ranks beyond the cores
 * share them.
 * @throws {UserError} for fewer steps than unknowns, or steps of one rank alone.
 */
export function fitSteps({ cores, steps }: z.output<typeof MeasuredSteps>): FittedRates {
  const models = [...new Set(steps.map(({ model }) => model))];
  if (steps.length < models.length + 2 || steps.every(({ ranks }) => ranks === 1)) {
    throw new UserError(
      `Cannot fit ${steps.length} measured steps of ${models.length} models: expected more steps than models, some of ` +
        "them of several ranks",
    );
  }
  const rows = steps.map(({ model, parameters, ranks, microBatches }) => [
    ...models.map((name) => name === model ? microBatches / ranks * Math.max(1, ranks / cores) : 0),
    parameters * (ranks - 1) / ranks,
    Number(ranks > 1),
  ]);
  const weighted = rows.map((row, i) => row.map((value) => value / steps[i].seconds));
  const solution = notNegative(weighted);
  const predicted = rows.map((row) => row.reduce((sum, value, i) => sum + value * solution[i], 0));
  const errors = predicted.map((seconds, i) => Math.abs(seconds / steps[i].seconds - 1));
  return {
    microBatch: Object.fromEntries(models.map((name, i) => [name, solution[i]])),
    number: solution.at(-2)!,
    meeting: solution.at(-1)!,
    predicted,
    largestError: Math.max(...errors),
    meanError: errors.reduce((a, b) => a + b, 0) / errors.length,
  };
}

/** As {@link leastSquares}, without terms that noise would make negative: no time is. */
function notNegative(rows: readonly number[][]): number[] {
  let used = rows[0].map((_, i) => i);
  while (true) {
    const found = leastSquares(rows.map((row) => used.map((i) => row[i])));
    const least = Math.min(...found);
    if (least >= 0) return rows[0].map((_, i) => used.includes(i) ? found[used.indexOf(i)] : 0);
    used = used.filter((_, at) => found[at] > least);
  }
}

/** x that makes `rows` x closest to 1, by normal equations and Gaussian elimination. */
function leastSquares(rows: readonly number[][]): number[] {
  const width = rows[0].length;
  const matrix = Array.from({ length: width }, (_, i) => [
    ...Array.from({ length: width }, (_, j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)),
    rows.reduce((sum, row) => sum + row[i], 0),
  ]);
  for (let i = 0; i < width; i++) {
    const pivot = matrix.findIndex((row, at) =>
      at >= i && Math.abs(row[i]) === Math.max(...matrix.slice(i).map((row) => Math.abs(row[i])))
    );
    [matrix[i], matrix[pivot]] = [matrix[pivot], matrix[i]];
    for (let j = 0; j < width; j++) {
      if (j === i) continue;
      const factor = matrix[j][i] / matrix[i][i];
      matrix[j] = matrix[j].map((value, k) => value - factor * matrix[i][k]);
    }
  }
  return matrix.map((row, i) => row[width] / row[i]);
}
