import { packBatch } from "../../data/packing/batches.ts";
import { attention, attentionBackward, type AttentionShape } from "../../kernels/attention/attention.ts";
import { autotune } from "../../kernels/autotune.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { matmul } from "../../kernels/matmul/matmul.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import type { DecoderConfig } from "../../models/decoder/config.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { PackedTokensBuffer } from "../../models/packing/packed_tokens.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { Contender, Runner } from "./contender.ts";
import {
  attentionInputs,
  type AttentionWorkload,
  type BenchWorkload,
  CHECKED_STEPS,
  matmulInputs,
  type MatmulWorkload,
  NORM_EPS,
  OPTIMIZER,
  type Outputs,
  ROPE_THETA,
  stepParameters,
  stepSequences,
  type StepWorkload,
  total,
} from "./workload.ts";

/** genrec's own kernels and decoder. On GPUs the variants of the kernels are tuned first, as training does. */
export function oursOn(device: Device): Contender {
  return {
    name: "genrec",
    async open(workload) {
      if (!device.isCpu) {
        const trial = runnerOf(device, workload);
        await trial.run(1);
        await autotune(device, new Map());
        trial.close?.();
      }
      return { ...runnerOf(device, workload), deviceBytes: () => device.memory.peak };
    },
  };
}

function runnerOf(device: Device, workload: BenchWorkload): Runner {
  if (workload.kind === "matmul") return matmulRunner(device, workload);
  if (workload.kind === "attention") return attentionRunner(device, workload);
  return stepRunner(device, workload);
}

function matmulRunner(device: Device, workload: MatmulWorkload): Runner {
  const { m, k, n } = workload;
  const inputs = matmulInputs(workload);
  const a = device.upload(inputs.a, m, k);
  const b = device.upload(inputs.b, k, n);
  return {
    async run(times) {
      for (let i = 0; i < times; i++) device.scope(() => matmul(device, a, b));
      await device.settle();
    },
    outputs: () => device.scope(async () => ({ c: (await device.read(matmul(device, a, b)))[0] })),
    close() {
      device.destroy(a);
      device.destroy(b);
    },
  };
}

function attentionRunner(device: Device, workload: AttentionWorkload): Runner {
  const { lengths, heads, headDim, backward } = workload;
  const inputs = attentionInputs(workload);
  const tokens = total(lengths);
  const width = heads * headDim;
  const shape: AttentionShape = { heads, kvHeads: heads, headDim };
  const fused = new Float32Array(tokens * 3 * width);
  [inputs.q, inputs.k, inputs.v].forEach((part, index) => {
    for (let row = 0; row < tokens; row++) {
      fused.set(part.subarray(row * width, (row + 1) * width), (row * 3 + index) * width);
    }
  });
  const keys = new Uint32Array(4 * tokens);
  const seenBy = new Uint32Array(2 * tokens);
  let start = 0;
  for (const length of lengths) {
    for (let row = start; row < start + length; row++) {
      keys.set([start, row + 1], 4 * row);
      seenBy.set([row, start + length], 2 * row);
    }
    start += length;
  }
  const qkv = device.upload(fused, tokens, 3 * width);
  const dO = device.upload(inputs.dO, tokens, width);
  const intervals = device.createFlat("u32", keys);
  const viewers = device.createFlat("u32", seenBy);
  const keyValues = { matrix: qkv, k: width, v: 2 * width };
  const once = (): Matrix[] => {
    const saved = attention(device, qkv, 0, keyValues, keyValues, intervals, shape);
    if (!backward) return [saved.o];
    return [saved.o, attentionBackward(device, qkv, dO, saved, intervals, viewers, shape)];
  };
  const part = (dQkv: Float32Array, index: number) => {
    const values = new Float32Array(tokens * width);
    for (let row = 0; row < tokens; row++) {
      const from = (row * 3 + index) * width;
      values.set(dQkv.subarray(from, from + width), row * width);
    }
    return values;
  };
  return {
    async run(times) {
      for (let i = 0; i < times; i++) device.scope(once);
      await device.settle();
    },
    outputs: () =>
      device.scope(async (): Promise<Outputs> => {
        const [o, dQkv] = await device.read(...once());
        return dQkv ? { o, dq: part(dQkv, 0), dk: part(dQkv, 1), dv: part(dQkv, 2) } : { o };
      }),
    close() {
      for (const tensor of [qkv, dO, intervals, viewers]) device.destroy(tensor);
    },
  };
}

function stepRunner(device: Device, workload: StepWorkload): Runner {
  const sequences = stepSequences(workload);
  const capacity = {
    tokens: total(workload.lengths),
    rows: sequences.reduce((sum, { targets }) => sum + targets.length, 0),
  };
  const decoder = new Decoder(device, decoderConfig(workload));
  const { parameters } = decoder;
  parameters.load(stepParameters(workload), "initial parameters");
  const { learningRate, ...options } = OPTIMIZER;
  const optimizer = new Optimizer(parameters, { ...options, emaDecay: 0 });
  const batch = new PackedTokensBuffer(device, capacity);
  const packed = packBatch(sequences, capacity);
  const rows = {
    targets: batch.packed.targets,
    weights: batch.packed.weights,
    stats: device.createFlat("f32", 4 * capacity.rows),
    rowLoss: device.createFlat("f32", capacity.rows),
  };
  let step = 0;
  // As in training: every step uploads its batch and its learning rate, and waits for nothing.
  const once = () => {
    batch.write(packed, 1 / packed.counts.weightSum);
    optimizer.prepare(step++, learningRate);
    device.scope(() => {
      parameters.clearGradients();
      const tape = new Tape(device, true);
      decoder.loss(tape, batch.packed, rows, { labelSmoothing: 0 });
      tape.backward();
      optimizer.step();
    });
  };
  const loss = async () => (await device.read(rows.rowLoss))[0].reduce((sum, x) => sum + x, 0);
  return {
    async run(times) {
      for (let i = 0; i < times; i++) once();
      const last = await loss();
      if (!Number.isFinite(last)) throw new Error(`The loss of step ${step} is ${last}`);
    },
    async outputs() {
      const losses: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) {
        once();
        losses.push(await loss());
      }
      return { losses };
    },
    close() {
      optimizer.destroy();
      batch.destroy();
      decoder.destroy();
      device.destroy(rows.stats);
      device.destroy(rows.rowLoss);
      device.trim();
    },
  };
}

function decoderConfig(
  { width, layers, heads, intermediate, vocabulary, lengths }: StepWorkload,
): DecoderConfig {
  return {
    model_type: "qwen2",
    architectures: ["Qwen2ForCausalLM"],
    vocab_size: vocabulary,
    hidden_size: width,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    head_dim: width / heads,
    max_position_embeddings: Math.max(...lengths),
    rms_norm_eps: NORM_EPS,
    rope_theta: ROPE_THETA,
    rope_scaling: null,
    tie_word_embeddings: false,
    // Queries, keys and values without bias, so that every contender has the same parameters.
    attention_bias: false,
    mlp_bias: false,
    hidden_act: "silu",
    initializer_range: 0.02,
    bos_token_id: null,
    eos_token_id: null,
    pad_token_id: null,
  };
}
