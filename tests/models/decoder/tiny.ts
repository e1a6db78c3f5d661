import { packBatch } from "../../../data/packing/batches.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { type DecoderConfig, parseDecoderConfig } from "../../../models/decoder/config.ts";
import { Decoder, type DecoderOptions } from "../../../models/decoder/decoder.ts";
import { Optimizer } from "../../../models/optimizer/optimizer.ts";
import { PackedTokensBuffer } from "../../../models/packing/packed_tokens.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";

/** A decoder one block deep and 16 wide. */
export function tinyConfig(vocabulary: number, tied: boolean): DecoderConfig {
  return parseDecoderConfig({
    model_type: "qwen2",
    vocab_size: vocabulary,
    hidden_size: 16,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: 24,
    tie_word_embeddings: tied,
  }, "a test");
}

/** Runs `make` while the device has smaller limits than its own: what a model meets that is larger than them. */
export function withLimits<T>(
  device: Device,
  limits: { maxTextureDimension2D?: number; maxStorageBufferBindingSize?: number; maxBufferSize?: number },
  make: () => T,
): T {
  const own = device.limits;
  const names = [
    "minStorageBufferOffsetAlignment",
    "maxBufferSize",
    "maxTextureDimension2D",
    "maxStorageBufferBindingSize",
  ] as const;
  const values = Object.fromEntries(names.map((name) => [name, own[name]]));
  const field = device as { limits: unknown };
  field.limits = { ...values, ...limits };
  try {
    return make();
  } finally {
    field.limits = own;
  }
}

/** Tensors of any decoder of this config, the same by name and row whatever else there is. */
export function tinyTensors(config: DecoderConfig): TensorMap {
  const specs = new Map<string, number[]>();
  const [C, I] = [config.hidden_size, config.intermediate_size];
  const kv = config.num_key_value_heads * config.head_dim;
  specs.set("model.embed_tokens.weight", [config.vocab_size, C]);
  if (!config.tie_word_embeddings) specs.set("lm_head.weight", [config.vocab_size, C]);
  specs.set("model.norm.weight", [C]);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const shapes: Record<string, number[]> = {
      "self_attn.q_proj.weight": [C, C],
      "self_attn.k_proj.weight": [kv, C],
      "self_attn.v_proj.weight": [kv, C],
      "self_attn.q_proj.bias": [C],
      "self_attn.k_proj.bias": [kv],
      "self_attn.v_proj.bias": [kv],
      "self_attn.o_proj.weight": [C, C],
      "mlp.gate_proj.weight": [I, C],
      "mlp.up_proj.weight": [I, C],
      "mlp.down_proj.weight": [C, I],
      "input_layernorm.weight": [C],
      "post_attention_layernorm.weight": [C],
    };
    for (const [name, shape] of Object.entries(shapes)) specs.set(`model.layers.${layer}.${name}`, shape);
  }
  return new Map([...specs].map(([name, shape]) => {
    const random = new PhiloxStream(3, name);
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from(
      { length: size },
      () => (name.includes("norm") ? 1 : 0) + 0.3 * random.normal(),
    );
    return [name, { shape, data }];
  }));
}

/** Trains a decoder on a fixed batch of 12 tokens, `tokens` below the vocabulary. */
export class TinyTraining {
  readonly optimizer: Optimizer;
  #batch: PackedTokensBuffer;
  #step = 0;

  constructor(readonly decoder: Decoder, tokens: readonly number[], emaDecay = 0) {
    const { device, parameters } = decoder;
    const capacity = { tokens: tokens.length + 3, rows: tokens.length }; // padding must not show
    const options = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, maxGradNorm: 1, emaDecay };
    this.optimizer = new Optimizer(parameters, options);
    this.#batch = new PackedTokensBuffer(device, capacity);
    const sequence = {
      tokens: Uint32Array.from(tokens.slice(0, -1)),
      targets: tokens.slice(1).map((token, at) => ({ at, token, weight: 1 })),
    };
    this.#batch.write(packBatch([sequence], capacity), 1 / (tokens.length - 1));
  }

  /** Loss of the batch; its gradients are added to those of the parameters, or taken for a step. */
  async run(step: boolean, labelSmoothing = 0.1): Promise<number> {
    const { device, parameters } = this.decoder;
    const { targets, weights } = this.#batch.packed;
    const rowLoss = device.createFlat("f32", targets.length);
    const stats = device.createFlat("f32", 4 * targets.length);
    this.optimizer.prepare(this.#step++, 0.05);
    parameters.clearGradients();
    device.scope(() => {
      const tape = new Tape(device, true);
      this.decoder.loss(tape, this.#batch.packed, { targets, weights, stats, rowLoss }, { labelSmoothing });
      tape.backward();
    });
    if (step) this.optimizer.step();
    const [losses] = await device.read(rowLoss);
    [rowLoss, stats].forEach((flat) => device.destroy(flat));
    return losses.reduce((a, b) => a + b, 0);
  }
}

/** A decoder with the values of {@link tinyTensors}, and adapters as they start. */
export function tinyDecoder(device: Device, config: DecoderConfig, options?: DecoderOptions): Decoder {
  const decoder = new Decoder(device, config, options);
  const adapters = decoder.lora?.initial(1) ?? [];
  decoder.parameters.load(new Map([...tinyTensors(config), ...adapters]), "test tensors");
  return decoder;
}

/** All tensors as they are on the device. */
export async function tensorsOf(
  { parameters }: Decoder,
  ...values: Parameters<typeof parameters.readTensors>
) {
  const tensors: TensorMap = new Map();
  for await (const { name, ...tensor } of parameters.readTensors(...values)) tensors.set(name, tensor);
  return tensors;
}
