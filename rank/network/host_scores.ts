import { rankerNames, type RankShape } from "./network.ts";

/** Units that are computed side by side: sums that do not wait for one another take a third of the time. */
const TOGETHER = 8;

/**
 * The scores of a `RankNetwork`, computed by the processor: a list has about a hundred candidates, which takes less time
 * than one wait for a device. All rankers are one wide network here, whose output is divided by their number.
 */
export class HostScores {
  readonly #inputs: number;
  /** Units of all rankers, filled up with 0 to a multiple of {@link TOGETHER}. */
  readonly #units: number;
  /** (units, F), the units of each group of {@link TOGETHER} side by side: (groups, F, together). */
  readonly #weights: Float64Array;
  /** (units); absent where scores are linear, and units are the rankers. */
  readonly #bias: Float64Array | undefined;
  /** (units). */
  readonly #output: Float64Array;

  /** `tensors` are those of a checkpoint, which has all of them. */
  constructor(
    { num_inputs, hidden_size, num_rankers }: RankShape,
    tensors: ReadonlyMap<string, { data: Float32Array }>,
  ) {
    const isLinear = hidden_size === 0;
    const own = isLinear ? 1 : hidden_size;
    this.#inputs = num_inputs;
    this.#units = TOGETHER * Math.ceil(num_rankers * own / TOGETHER);
    this.#weights = new Float64Array(this.#units * num_inputs);
    this.#output = new Float64Array(this.#units);
    this.#bias = isLinear ? undefined : new Float64Array(this.#units);
    for (let ranker = 0; ranker < num_rankers; ranker++) {
      const names = rankerNames(ranker);
      const dataOf = (name: string) => tensors.get(name)!.data;
      const weights = dataOf(isLinear ? names.output : names.hidden);
      for (let row = 0; row < own; row++) {
        const unit = ranker * own + row;
        for (let i = 0; i < num_inputs; i++) {
          this.#weights[placeOf(unit, i, num_inputs)] = weights[row * num_inputs + i];
        }
        this.#output[unit] = (isLinear ? 1 : dataOf(names.output)[row]) / num_rankers;
        if (this.#bias) this.#bias[unit] = dataOf(names.bias)[row];
      }
    }
  }

  /** Mean over the rankers of the scores of inputs (rows, F). */
  of(inputs: Float32Array): Float32Array {
    const width = this.#inputs;
    const scores = new Float32Array(inputs.length / width);
    const x = new Float64Array(width), sums = new Float64Array(this.#units);
    for (let row = 0; row < scores.length; row++) {
      for (let i = 0; i < width; i++) x[i] = inputs[row * width + i];
      addProducts(this.#weights, x, sums);
      let score = 0;
      for (let unit = 0; unit < sums.length; unit++) {
        const output = this.#output[unit];
        if (output === 0) continue;
        score += output * (this.#bias ? gelu(this.#bias[unit] + sums[unit]) : sums[unit]);
      }
      scores[row] = score;
    }
    return scores;
  }
}

/** Place of a unit's weight among those of its group. */
function placeOf(unit: number, input: number, inputs: number): number {
  return (Math.floor(unit / TOGETHER) * inputs + input) * TOGETHER + unit % TOGETHER;
}

/** Products of all units with x (F), written to sums (units). */
function addProducts(weights: Float64Array, x: Float64Array, sums: Float64Array): void {
  let at = 0;
  for (let unit = 0; unit < sums.length; unit += TOGETHER) {
    let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (let i = 0; i < x.length; i++, at += TOGETHER) {
      const value = x[i];
      a += value * weights[at];
      b += value * weights[at + 1];
      c += value * weights[at + 2];
      d += value * weights[at + 3];
      e += value * weights[at + 4];
      f += value * weights[at + 5];
      g += value * weights[at + 6];
      h += value * weights[at + 7];
    }
    sums[unit] = a;
    sums[unit + 1] = b;
    sums[unit + 2] = c;
    sums[unit + 3] = d;
    sums[unit + 4] = e;
    sums[unit + 5] = f;
    sums[unit + 6] = g;
    sums[unit + 7] = h;
  }
}

/** The tanh form, as the kernels compute it, by its logistic: x / (1 + e^-2z). */
function gelu(x: number): number {
  return x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}
