import { geglu, gegluBackward } from "./geglu.ts";
import { gatedUnitSpec } from "./unit_spec.ts";

export const spec = gatedUnitSpec(
  "geglu",
  { forward: geglu, backward: gegluBackward },
  (gate) => 0.5 * gate * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3))),
);
