import * as registry from "./registry.ts";
import type { UpdateRule } from "./rule.ts";

/** A way to train parameters, by the names of Hugging Face's `optim`. */
export type OptimName = keyof typeof registry;

/** Every way to train parameters by {@link OptimName}. */
export const UPDATE_RULES: Readonly<Record<OptimName, UpdateRule>> = registry;

/** Every {@link OptimName}, in alphabetical order. */
export const OPTIM_NAMES = Object.keys(registry) as OptimName[];
