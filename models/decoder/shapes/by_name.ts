import * as registry from "./registry.ts";
import type { DecoderShape } from "./shape.ts";

/** A `model_type` of a decoder's `config.json`. */
export type ModelType = keyof typeof registry;

/** Every family of decoders by {@link ModelType}. */
export const DECODER_SHAPES: Readonly<Record<ModelType, DecoderShape>> = registry;

/** Every {@link ModelType}, in alphabetical order. */
export const MODEL_TYPES = Object.keys(registry) as ModelType[];
