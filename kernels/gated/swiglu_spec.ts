import { swiglu, swigluBackward } from "./swiglu.ts";
import { gatedUnitSpec } from "./unit_spec.ts";

export const spec = gatedUnitSpec(
  "swiglu",
  { forward: swiglu, backward: swigluBackward },
  (gate) => gate / (1 + Math.exp(-gate)),
);
