import type { FeatureGroup } from "./features.ts";
import * as registry from "./registry.ts";

/** Every group of features, in the order of their names. */
export const FEATURE_GROUPS: readonly FeatureGroup[] = Object.values(registry);
