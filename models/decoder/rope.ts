import { z } from "zod";
import type { Device } from "../../kernels/gpu/device.ts";
import { rotaryTable } from "../../kernels/elementwise/rotary.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";

/** All wavelengths stretched, or (NTK) only those of sequences longer than `max_position_embeddings`. */
export interface UniformRopeScaling {
  /** `dynamic` never applies here: longer sequences are refused, as they are without scaling. */
  rope_type: "linear" | "dynamic";
  /** What wavelengths are multiplied by. */
  factor: number;
}

/** Long wavelengths stretched, short ones not, a ramp between, as in Llama 3.1. */
export interface Llama3RopeScaling {
  /** Kind of scaling. */
  rope_type: "llama3";
  /** What long wavelengths are multiplied by. */
  factor: number;
  /** Turns in the context of pretraining up to which a wavelength is long. */
  low_freq_factor: number;
  /** Turns from which it is short. */
  high_freq_factor: number;
  /** Context of pretraining; default `max_position_embeddings`. */
  original_max_position_embeddings?: number;
}

/** YaRN (arXiv:2309.00071): a ramp over the pairs of a head's columns, and attention scores scaled. */
export interface YarnRopeScaling {
  /** Kind of scaling. */
  rope_type: "yarn";
  /** What long wavelengths are multiplied by. */
  factor: number;
  /** Context of pretraining; default `max_position_embeddings`. */
  original_max_position_embeddings?: number;
  /** What cosines and sines are multiplied by; default 0.1 ln(factor) + 1. */
  attention_factor?: number | null;
  /** Turns in the context of pretraining where the ramp begins; default 32. */
  beta_fast?: number | null;
  /** Turns where it ends; default 1. */
  beta_slow?: number | null;
  /** With `mscale_all_dim`, the attention factor is the ratio of their values of 0.1 m ln(factor) + 1. */
  mscale?: number | null;
  /** See `mscale`. */
  mscale_all_dim?: number | null;
  /** Whether the ends of the ramp are whole pairs; default true. */
  truncate?: boolean;
}

/** How rotary wavelengths are stretched for contexts beyond that of pretraining, in the fields of Hugging Face. */
export type RopeScaling = UniformRopeScaling | Llama3RopeScaling | YarnRopeScaling;

const factor = z.number().min(1);
const positive = z.number().positive();
const length = z.int().min(1);

const Scaling: z.ZodType<RopeScaling> = z.discriminatedUnion("rope_type", [
  z.looseObject({ rope_type: z.enum(["linear", "dynamic"]), factor }),
  z.looseObject({
    rope_type: z.literal("llama3"),
    factor,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: length.optional(),
  }),
  z.looseObject({
    rope_type: z.literal("yarn"),
    factor,
    original_max_position_embeddings: length.optional(),
    attention_factor: positive.nullish(),
    beta_fast: positive.nullish(),
    beta_slow: positive.nullish(),
    mscale: z.number().min(0).nullish(),
    mscale_all_dim: z.number().min(0).nullish(),
    truncate: z.boolean().optional(),
  }),
]);

/** Values of `rope_type` that are understood; "default" is no scaling. */
export const ROPE_TYPES = ["default", "linear", "dynamic", "llama3", "yarn"] as const;

/** The fields of a `config.json` that say how positions are turned into angles. */
export const ropeFields = {
  rope_theta: positive.optional(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  partial_rotary_factor: z.number().nullish(),
  original_max_position_embeddings: z.unknown().optional(),
};

type RopeFields = { [K in keyof typeof ropeFields]?: z.output<typeof ropeFields[K]> };

/** Base that Hugging Face assumes for all supported families where a file names none. */
const DEFAULT_ROPE_THETA = 10000;

/** How positions are turned into angles: base and scaling. */
interface RopeAngles {
  rope_theta: number;
  rope_scaling: RopeScaling | null;
}

/**
 * Angles as transformers 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`) write them -> base and scaling.
 * What cannot be used is added to `problems`.
 */
export function readRope(fields: RopeFields, problems: string[]): RopeAngles {
  const scalings: (RopeScaling | null)[] = [];
  const thetas = new Map<string, unknown>();
  if (fields.rope_theta !== undefined) thetas.set("rope_theta", fields.rope_theta);
  refusePartial("partial_rotary_factor", fields.partial_rotary_factor, problems);
  for (const name of ["rope_parameters", "rope_scaling"] as const) {
    const value = fields[name];
    if (!value) continue;
    const { rope_theta, type, rope_type = type ?? "default", partial_rotary_factor, ...rest } = value;
    if (rope_theta !== undefined) thetas.set(`${name}.rope_theta`, rope_theta);
    refusePartial(`${name}.partial_rotary_factor`, partial_rotary_factor, problems);
    scalings.push(readScaling(name, { rope_type, ...rest }, problems));
  }
  if (fields.original_max_position_embeddings != null && scalings.some((scaling) => scaling !== null)) {
    problems.push("field original_max_position_embeddings is outside of rope_parameters. Move it in there");
  }
  const [first, ...others] = [...thetas];
  for (const [name, theta] of others) {
    if (theta !== first[1]) {
      problems.push(`field ${first[0]} is ${first[1]} but ${name} is ${theta}. Remove one`);
    }
  }
  if (scalings.length === 2 && canonical(scalings[0]) !== canonical(scalings[1])) {
    problems.push("fields rope_parameters and rope_scaling ask for different scalings. Remove one");
  }
  const theta = positive.safeParse(first?.[1] ?? DEFAULT_ROPE_THETA);
  if (!theta.success) {
    problems.push(`field ${first[0]} is ${JSON.stringify(first[1])}, expected a positive number`);
  }
  return { rope_theta: theta.data ?? DEFAULT_ROPE_THETA, rope_scaling: scalings[0] ?? null };
}

/** `rope_parameters` of transformers 5 and `rope_scaling` of transformers 4 for a config. */
export function writeRope({ rope_theta, rope_scaling }: RopeAngles) {
  return { rope_parameters: { rope_theta, rope_type: "default", ...rope_scaling }, rope_scaling };
}

/** Angles of `positions` positions for a decoder of this config, on the device; see `rotaryTable()`. */
export function ropeTable(device: Device, config: RopeConfig, positions: number): Matrix {
  const { frequencies, attentionFactor } = ropeFrequencies(config);
  return rotaryTable(device, positions, frequencies, attentionFactor);
}

interface RopeConfig extends RopeAngles {
  head_dim: number;
  max_position_embeddings: number;
}

/**
 * Radians a position for each pair of a head's columns (headDim / 2), and what cosines and sines are multiplied by.
 * For a sequence of at most `max_position_embeddings` tokens.
 */
export function ropeFrequencies(config: RopeConfig): { frequencies: Float64Array; attentionFactor: number } {
  const { head_dim, rope_theta, rope_scaling: scaling, max_position_embeddings } = config;
  const unscaled = Float64Array.from({ length: head_dim / 2 }, (_, i) => rope_theta ** (-2 * i / head_dim));
  switch (scaling?.rope_type) {
    case "linear":
      return { frequencies: unscaled.map((frequency) => frequency / scaling.factor), attentionFactor: 1 };
    case "llama3": {
      const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
      const original = scaling.original_max_position_embeddings ?? max_position_embeddings;
      const frequencies = unscaled.map((frequency) => {
        const turns = original * frequency / (2 * Math.PI); // in the context of pretraining
        const kept = clamp((turns - low) / (high - low));
        return frequency * (kept + (1 - kept) / factor);
      });
      return { frequencies, attentionFactor: 1 };
    }
    case "yarn": {
      const { factor, truncate = true } = scaling;
      const original = scaling.original_max_position_embeddings ?? max_position_embeddings;
      // The pair, as a real number, that turns so often in the context of pretraining.
      const pairOf = (turns: number) =>
        head_dim * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(rope_theta));
      const ends = [pairOf(scaling.beta_fast || 32), pairOf(scaling.beta_slow || 1)];
      const first = Math.max(truncate ? Math.floor(ends[0]) : ends[0], 0);
      const last = Math.min(truncate ? Math.ceil(ends[1]) : ends[1], head_dim - 1);
      const width = first === last ? 0.001 : last - first;
      const frequencies = unscaled.map((frequency, i) => {
        const stretched = clamp((i - first) / width);
        return frequency * (1 - stretched + stretched / factor);
      });
      return { frequencies, attentionFactor: scaling.attention_factor ?? yarnAttentionFactor(scaling) };
    }
    case "dynamic": // beyond max_position_embeddings alone
    case undefined:
      return { frequencies: unscaled, attentionFactor: 1 };
  }
}

function yarnAttentionFactor({ factor, mscale, mscale_all_dim }: YarnRopeScaling): number {
  const scaleOf = (weight: number) => 0.1 * weight * Math.log(factor) + 1;
  return mscale && mscale_all_dim ? scaleOf(mscale) / scaleOf(mscale_all_dim) : scaleOf(1);
}

function readScaling(
  name: string,
  value: Record<string, unknown>,
  problems: string[],
): RopeScaling | null {
  const nested = Object.keys(value).find((key) => typeof value[key] === "object" && value[key] !== null);
  if (nested !== undefined) {
    problems.push(`field ${name}.${nested} is an object, only one setting for all layers is supported`);
    return null;
  }
  const type = value.rope_type;
  if (type === "default") return null;
  if (!(ROPE_TYPES as readonly unknown[]).includes(type)) {
    problems.push(
      `field ${name} has type ${JSON.stringify(type)}, supported are ${ROPE_TYPES.join(", ")}. ` +
        `Remove ${name} if sequences stay within the length that the model was trained with`,
    );
    return null;
  }
  const parsed = Scaling.safeParse(value);
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const key = String(path[0]);
      problems.push(`field ${name}.${key} is ${JSON.stringify(value[key])} for type ${type}: ${message}`);
    }
    return null;
  }
  const scaling = parsed.data;
  if (scaling.rope_type === "llama3" && scaling.high_freq_factor <= scaling.low_freq_factor) {
    problems.push(
      `field ${name}.high_freq_factor is ${scaling.high_freq_factor}, expected more than low_freq_factor ` +
        scaling.low_freq_factor,
    );
  }
  return scaling;
}

function refusePartial(name: string, value: unknown, problems: string[]): void {
  if (value === undefined || value === null || value === 1) return;
  problems.push(
    `field ${name} is ${JSON.stringify(value)}, only heads that are rotated whole (1) are supported`,
  );
}

function canonical(scaling: RopeScaling | null): string {
  return JSON.stringify(Object.entries(scaling ?? {}).sort(([a], [b]) => a < b ? -1 : 1));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
