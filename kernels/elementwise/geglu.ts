import { gatedUnitKernels } from "./gated_unit.ts";
import code from "./geglu.wgsl" with { type: "text" };

/** Gated unit with the tanh form of GELU (Shazeer 2020, arXiv:2002.05202). */
export const { forward: geglu, backward: gegluBackward, spec } = gatedUnitKernels(
  "geglu",
  code,
  (gate) => 0.5 * gate * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3))),
);
