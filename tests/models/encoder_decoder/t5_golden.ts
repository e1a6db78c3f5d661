// Tiny T5s with the numbers that transformers gives for them: see tests/golden/encoder_decoder/make_t5.py.
import type { Device } from "../../../kernels/gpu/device.ts";
import { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import { parseEncoderDecoderConfig } from "../../../models/encoder_decoder/config.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";

/** A model of t5.json. */
export interface T5Golden {
  config: unknown;
  count: number;
  loss: number;
  sequences: { input: number[]; labels: number[]; logits: number[][] }[];
  gradients: Record<string, { shape: number[]; data: number[] }>;
}

/** One table that is scaled, another head, and code tables. */
export const FAMILIES = ["t5", "t5_v1_1", "codes"] as const;

/** The models by name. */
export const t5Golden: Record<typeof FAMILIES[number], T5Golden> = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/encoder_decoder/t5.json", import.meta.url)),
);

/** Weights as `fill` in make_t5.py: from -0.5 to 0.5 in the order of the names, gains 1 more. */
export function t5Tensors(shapes: { name: string; shape: readonly number[] }[]): TensorMap {
  let state = 1;
  const tensors: TensorMap = new Map();
  for (const { name, shape } of shapes.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32 - 0.5 + (name.includes("norm") ? 1 : 0);
    });
    tensors.set(name, { shape: [...shape], data });
  }
  return tensors;
}

/** The model of that name with its weights. */
export function loadT5(device: Device, name: typeof FAMILIES[number]): EncoderDecoder {
  const model = new EncoderDecoder(device, parseEncoderDecoderConfig(t5Golden[name].config));
  model.parameters.load(t5Tensors(model.parameters.specs.flatMap(partsOf)), name);
  return model;
}
