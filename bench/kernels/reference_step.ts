import { attentionGradients } from "./reference_attention.ts";
import {
  CHECKED_STEPS,
  NORM_EPS,
  OPTIMIZER,
  ROPE_THETA,
  stepParameters,
  stepSequences,
  type StepWorkload,
  total,
} from "./workload.ts";

/** Parameters or gradients in float64 under Hugging Face names. */
export type NamedArrays = Map<string, Float64Array>;

const layerName = (layer: number, part: string) => `model.layers.${layer}.${part}.weight`;

/** Losses of the first training steps in float64. */
export function referenceLosses(step: StepWorkload): number[] {
  const parameters = initialParameters(step);
  const moments = [...parameters].map(([name, { length }]) => ({
    name,
    decay: !name.includes("norm"),
    m: new Float64Array(length),
    v: new Float64Array(length),
  }));
  const { learningRate, beta1, beta2, eps, weightDecay, maxGradNorm } = OPTIMIZER;
  const losses: number[] = [];
  for (let t = 1;; t++) {
    const { loss, gradients } = lossAndGradients(step, parameters);
    losses.push(loss);
    if (t === CHECKED_STEPS) return losses;
    let squares = 0;
    for (const gradient of gradients.values()) for (const g of gradient) squares += g * g;
    const clip = Math.min(1, maxGradNorm / (Math.sqrt(squares) + 1e-6));
    for (const { name, decay, m, v } of moments) {
      const values = parameters.get(name)!;
      const gradient = gradients.get(name)!;
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i] * clip;
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        if (decay) values[i] *= 1 - learningRate * weightDecay;
        values[i] -= learningRate * (m[i] / (1 - beta1 ** t)) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + eps);
      }
    }
  }
}

export function initialParameters(step: StepWorkload): NamedArrays {
  return new Map([...stepParameters(step)].map(([name, { data }]) => [name, Float64Array.from(data)]));
}

/** Mean cross-entropy over the targets and its gradients: each operation pushes its own backward step. */
export function lossAndGradients(
  step: StepWorkload,
  parameters: NamedArrays,
): { loss: number; gradients: NamedArrays } {
  const { width, layers, intermediate, heads, lengths, vocabulary } = step;
  const gradients: NamedArrays = new Map(
    [...parameters].map(([name, { length }]) => [name, new Float64Array(length)]),
  );
  const backward: (() => void)[] = [];
  const sequences = stepSequences(step);
  const rows = total(lengths);

  /** A value and the gradient that its consumers add to. */
  const variable = (length: number) => ({ value: new Float64Array(length), grad: new Float64Array(length) });
  type Variable = ReturnType<typeof variable>;

  function linear(x: Variable, name: string, outputs: number): Variable {
    const weight = parameters.get(name)!;
    const dWeight = gradients.get(name)!;
    const inputs = weight.length / outputs;
    const count = x.value.length / inputs;
    const y = variable(count * outputs);
    for (let row = 0; row < count; row++) {
      for (let out = 0; out < outputs; out++) {
        let sum = 0;
        for (let c = 0; c < inputs; c++) sum += x.value[row * inputs + c] * weight[out * inputs + c];
        y.value[row * outputs + out] = sum;
      }
    }
    backward.push(() => {
      for (let row = 0; row < count; row++) {
        for (let out = 0; out < outputs; out++) {
          const dy = y.grad[row * outputs + out];
          for (let c = 0; c < inputs; c++) {
            x.grad[row * inputs + c] += dy * weight[out * inputs + c];
            dWeight[out * inputs + c] += dy * x.value[row * inputs + c];
          }
        }
      }
    });
    return y;
  }

  function norm(x: Variable, name: string): Variable {
    const gain = parameters.get(name)!;
    const dGain = gradients.get(name)!;
    const y = variable(x.value.length);
    const count = x.value.length / width;
    const inverse = new Float64Array(count);
    for (let row = 0; row < count; row++) {
      let squares = 0;
      for (let c = 0; c < width; c++) squares += x.value[row * width + c] ** 2;
      inverse[row] = 1 / Math.sqrt(squares / width + NORM_EPS);
      for (let c = 0; c < width; c++) {
        y.value[row * width + c] = x.value[row * width + c] * inverse[row] * gain[c];
      }
    }
    backward.push(() => {
      for (let row = 0; row < count; row++) {
        const r = inverse[row];
        let dot = 0;
        for (let c = 0; c < width; c++) {
          const i = row * width + c;
          dGain[c] += y.grad[i] * x.value[i] * r;
          dot += y.grad[i] * gain[c] * x.value[i];
        }
        for (let c = 0; c < width; c++) {
          const i = row * width + c;
          x.grad[i] += r * (y.grad[i] * gain[c] - x.value[i] * dot * r * r / width);
        }
      }
    });
    return y;
  }

  function rotate(x: Variable): Variable {
    const headDim = width / heads;
    const half = headDim / 2;
    const y = variable(x.value.length);
    const turn = (from: Float64Array, to: Float64Array, direction: 1 | -1) => {
      let row = 0;
      for (const length of lengths) {
        for (let position = 0; position < length; position++, row++) {
          for (let head = 0; head < heads; head++) {
            for (let c = 0; c < half; c++) {
              const angle = direction * position * ROPE_THETA ** (-c / half);
              const i = row * width + head * headDim + c;
              to[i] += from[i] * Math.cos(angle) - from[i + half] * Math.sin(angle);
              to[i + half] += from[i + half] * Math.cos(angle) + from[i] * Math.sin(angle);
            }
          }
        }
      }
    };
    turn(x.value, y.value, 1);
    backward.push(() => turn(y.grad, x.grad, -1));
    return y;
  }

  function attend(q: Variable, k: Variable, v: Variable): Variable {
    const shape = { lengths, heads, headDim: width / heads };
    const values = { q: q.value, k: k.value, v: v.value };
    const y = variable(q.value.length);
    y.value.set(attentionGradients(shape, { ...values, dO: y.grad }).o);
    backward.push(() => {
      const { dq, dk, dv } = attentionGradients(shape, { ...values, dO: y.grad });
      for (const [to, from] of [[q, dq], [k, dk], [v, dv]] as const) {
        for (let i = 0; i < from.length; i++) to.grad[i] += from[i];
      }
    });
    return y;
  }

  function add(a: Variable, b: Variable): Variable {
    const y = variable(a.value.length);
    for (let i = 0; i < y.value.length; i++) y.value[i] = a.value[i] + b.value[i];
    backward.push(() => {
      for (let i = 0; i < y.grad.length; i++) {
        a.grad[i] += y.grad[i];
        b.grad[i] += y.grad[i];
      }
    });
    return y;
  }

  function gated(gate: Variable, up: Variable): Variable {
    const y = variable(gate.value.length);
    const sigmoid = gate.value.map((x) => 1 / (1 + Math.exp(-x)));
    for (let i = 0; i < y.value.length; i++) y.value[i] = gate.value[i] * sigmoid[i] * up.value[i];
    backward.push(() => {
      for (let i = 0; i < y.grad.length; i++) {
        const s = sigmoid[i];
        gate.grad[i] += y.grad[i] * up.value[i] * s * (1 + gate.value[i] * (1 - s));
        up.grad[i] += y.grad[i] * gate.value[i] * s;
      }
    });
    return y;
  }

  /** Rows of `table` at `index`; the gradient is added to `dTable`. */
  function gather(table: Float64Array, dTable: Float64Array, index: number[]): Variable {
    const y = variable(index.length * width);
    index.forEach((from, row) => y.value.set(table.subarray(from * width, (from + 1) * width), row * width));
    backward.push(() =>
      index.forEach((from, row) => {
        for (let c = 0; c < width; c++) dTable[from * width + c] += y.grad[row * width + c];
      })
    );
    return y;
  }

  const embedding = "model.embed_tokens.weight";
  const tokens = sequences.flatMap((sequence) => [...sequence.tokens]);
  let stream = gather(parameters.get(embedding)!, gradients.get(embedding)!, tokens);
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => layerName(layer, part);
    const normed = norm(stream, name("input_layernorm"));
    const q = rotate(linear(normed, name("self_attn.q_proj"), width));
    const k = rotate(linear(normed, name("self_attn.k_proj"), width));
    const v = linear(normed, name("self_attn.v_proj"), width);
    stream = add(stream, linear(attend(q, k, v), name("self_attn.o_proj"), width));
    const middle = norm(stream, name("post_attention_layernorm"));
    const gate = linear(middle, name("mlp.gate_proj"), intermediate);
    const up = linear(middle, name("mlp.up_proj"), intermediate);
    stream = add(stream, linear(gated(gate, up), name("mlp.down_proj"), width));
  }
  const targetRows: number[] = [];
  const targets: number[] = [];
  let start = 0;
  for (const sequence of sequences) {
    for (const { at, token } of sequence.targets) {
      targetRows.push(start + at);
      targets.push(token);
    }
    start += sequence.tokens.length;
  }
  if (start !== rows) throw new Error(`${start} tokens in sequences of ${rows}`);
  const selected = gather(stream.value, stream.grad, targetRows);
  const logits = linear(norm(selected, "model.norm.weight"), "lm_head.weight", vocabulary);
  let loss = 0;
  targets.forEach((target, row) => {
    const of = logits.value.subarray(row * vocabulary, (row + 1) * vocabulary);
    const top = Math.max(...of);
    const sum = of.reduce((sum, x) => sum + Math.exp(x - top), 0);
    loss += (top + Math.log(sum) - of[target]) / targets.length;
    for (let j = 0; j < vocabulary; j++) {
      const p = Math.exp(of[j] - top) / sum;
      logits.grad[row * vocabulary + j] = (p - Number(j === target)) / targets.length;
    }
  });
  for (const pull of backward.reverse()) pull();
  return { loss, gradients };
}
