import { ROPE_THETA, stepParameters, stepSequences, type StepWorkload } from "../kernels/workload.ts";

/** Packed rows (T, width) as (B, L, width), L the longest sequence; what is missing is 0. */
export function pad(packed: ArrayLike<number>, lengths: readonly number[], width: number): Float32Array {
  const longest = Math.max(...lengths);
  const padded = new Float32Array(lengths.length * longest * width);
  let from = 0;
  lengths.forEach((length, sequence) => {
    for (let i = 0; i < length * width; i++) padded[sequence * longest * width + i] = packed[from + i];
    from += length * width;
  });
  return padded;
}

/** Inverse of {@link pad}. */
export function unpad(padded: ArrayLike<number>, lengths: readonly number[], width: number): Float32Array {
  const longest = Math.max(...lengths);
  return Float32Array.from(
    lengths.flatMap((length, sequence) =>
      Array.from({ length: length * width }, (_, i) => padded[sequence * longest * width + i])
    ),
  );
}

/** (B, L, heads, headDim) as (B, heads, L, headDim), or back with L and heads exchanged. */
export function swapHeads(
  x: ArrayLike<number>,
  [b, l, h, d]: [number, number, number, number],
): Float32Array {
  const swapped = new Float32Array(b * l * h * d);
  for (let i = 0; i < b; i++) {
    for (let row = 0; row < l; row++) {
      for (let head = 0; head < h; head++) {
        for (let c = 0; c < d; c++) {
          swapped[((i * h + head) * l + row) * d + c] = x[((i * l + row) * h + head) * d + c];
        }
      }
    }
  }
  return swapped;
}

/** Batch of a training step in the padded layout: B sequences of L tokens, targets also as a list of R rows. */
export function paddedStep(step: StepWorkload) {
  const sequences = stepSequences(step);
  const batch = sequences.length;
  const longest = Math.max(...step.lengths);
  const tokens = new Int32Array(batch * longest);
  const targets = new Int32Array(batch * longest);
  const weights = new Float32Array(batch * longest);
  const rows: number[] = [];
  sequences.forEach((sequence, b) => {
    tokens.set(sequence.tokens, b * longest);
    for (const { at, token } of sequence.targets) {
      rows.push(b * longest + at);
      targets[b * longest + at] = token;
    }
  });
  for (const row of rows) weights[row] = 1 / rows.length;
  const half = step.width / step.heads / 2;
  const angles = Float32Array.from(
    { length: longest * half },
    (_, i) => Math.floor(i / half) * ROPE_THETA ** (-(i % half) / half),
  );
  return {
    batch,
    longest,
    tokens,
    targets,
    weights,
    rows: Int32Array.from(rows),
    rowTargets: Int32Array.from(rows, (row) => targets[row]),
    cos: angles.map(Math.cos),
    sin: angles.map(Math.sin),
  };
}

/** Parameters as a peer's user would lay them out: weights (in, out), q | k | v and gate | up fused. */
export function fusedParameters(step: StepWorkload) {
  const named = stepParameters(step);
  const fused: Record<string, { shape: number[]; data: Float32Array; decay: boolean }> = {};
  const gain = (to: string, from: string) => fused[to] = { ...named.get(from)!, decay: false };
  const weight = (to: string, ...from: string[]) => {
    const parts = from.map((name) => named.get(name)!);
    const inputs = parts[0].shape[1];
    const outputs = parts.reduce((sum, { shape }) => sum + shape[0], 0);
    const data = new Float32Array(inputs * outputs);
    let column = 0;
    for (const part of parts) {
      for (let out = 0; out < part.shape[0]; out++, column++) {
        for (let c = 0; c < inputs; c++) data[c * outputs + column] = part.data[out * inputs + c];
      }
    }
    fused[to] = { shape: [inputs, outputs], data, decay: true };
  };
  fused.embedding = { ...named.get("model.embed_tokens.weight")!, decay: true };
  for (let layer = 0; layer < step.layers; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}.weight`;
    gain(`norm1.${layer}`, name("input_layernorm"));
    weight(`qkv.${layer}`, ...["q_proj", "k_proj", "v_proj"].map((part) => name(`self_attn.${part}`)));
    weight(`output.${layer}`, name("self_attn.o_proj"));
    gain(`norm2.${layer}`, name("post_attention_layernorm"));
    weight(`gateUp.${layer}`, name("mlp.gate_proj"), name("mlp.up_proj"));
    weight(`down.${layer}`, name("mlp.down_proj"));
  }
  gain("norm", "model.norm.weight");
  weight("head", "lm_head.weight");
  return fused;
}
