import type { FeatureColumn } from "./features.ts";
import { inputCount } from "./standardise.ts";

/**
 * By how much each feature moves each row of a list: its score less the score that it has with the list's mean of all
 * inputs of that feature. `inputs` (rows, F) are standardised, `score` gives one number a row. Returns (rows, columns).
 */
export function featureEffects(
  columns: readonly FeatureColumn[],
  inputs: Float32Array,
  rows: number,
  score: (inputs: Float32Array) => Float32Array,
): number[][] {
  const width = inputCount(columns);
  const means = new Float64Array(width);
  inputs.forEach((value, i) => means[i % width] += value / rows);
  const whole = score(inputs);
  const effects = Array.from({ length: rows }, () => new Array<number>(columns.length));
  let first = 0;
  columns.forEach((column, place) => {
    const end = first + inputCount([column]);
    const changed = inputs.slice();
    for (let row = 0; row < rows; row++) {
      for (let i = first; i < end; i++) changed[row * width + i] = means[i];
    }
    score(changed).forEach((value, row) => effects[row][place] = whole[row] - value);
    first = end;
  });
  return effects;
}
