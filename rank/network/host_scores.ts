import { rankerNames, type RankShape } from "./network.ts";

/** Weights of one ranker. */
interface Ranker {
  /** (units, F), row after row; absent where scores are linear. */
  hidden?: Float32Array;
  /** (units). */
  bias?: Float32Array;
  /** (units), or (F). */
  output: Float32Array;
}

/**
 * The scores of a `RankNetwork`, computed by the processor: a list has about a hundred candidates, which takes less time
 * than one wait for a device.
 */
export class HostScores {
  readonly #inputs: number;
  readonly #rankers: Ranker[];

  /** `tensors` are those of a checkpoint, which has all of them. */
  constructor(
    { num_inputs, hidden_size, num_rankers }: RankShape,
    tensors: ReadonlyMap<string, { data: Float32Array }>,
  ) {
    this.#inputs = num_inputs;
    this.#rankers = Array.from({ length: num_rankers }, (_, ranker) => {
      const names = rankerNames(ranker);
      const dataOf = (name: string) => tensors.get(name)!.data;
      if (hidden_size === 0) return { output: dataOf(names.output) };
      return { hidden: dataOf(names.hidden), bias: dataOf(names.bias), output: dataOf(names.output) };
    });
  }

  /** Mean over the rankers of the scores of inputs (rows, F). */
  of(inputs: Float32Array): Float32Array {
    const width = this.#inputs;
    const scores = new Float32Array(inputs.length / width);
    for (let row = 0; row < scores.length; row++) {
      let sum = 0;
      for (const ranker of this.#rankers) sum += scoreOf(ranker, inputs, row * width, width);
      scores[row] = sum / this.#rankers.length;
    }
    return scores;
  }
}

function scoreOf({ hidden, bias, output }: Ranker, inputs: Float32Array, at: number, width: number): number {
  if (!hidden || !bias) return dot(output, 0, inputs, at, width);
  let score = 0;
  for (let unit = 0; unit < output.length; unit++) {
    score += output[unit] * gelu(bias[unit] + dot(hidden, unit * width, inputs, at, width));
  }
  return score;
}

function dot(a: Float32Array, from: number, b: Float32Array, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[from + i] * b[at + i];
  return sum;
}

/** The tanh form, as the kernels compute it. */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}
