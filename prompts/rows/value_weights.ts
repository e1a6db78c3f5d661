/**
 * Loss weights of rows by the value v of the item that comes next, ln(1 + v): VAFT, arXiv:2511.10138. In mean 1 over the
 * rows that have a value, at least `floor` of the mean before (else the cheapest item teaches nothing), and 1 for rows
 * without one (NaN).
 */
export function valueWeights(values: Float64Array, floor: number): Float64Array {
  const raw = values.map((value) => Math.log1p(value));
  const mean = meanOfNumbers(raw);
  if (!(mean > 0)) return values.map(() => 1);
  const floored = raw.map((weight) => Number.isNaN(weight) ? NaN : Math.max(weight / mean, floor));
  const scale = meanOfNumbers(floored);
  return floored.map((weight) => Number.isNaN(weight) ? 1 : weight / scale);
}

function meanOfNumbers(values: Float64Array): number {
  let sum = 0, count = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}
