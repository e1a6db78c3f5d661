import { gatedUnitKernels } from "./unit.ts";
import code from "./geglu.wgsl" with { type: "text" };

/** Gated unit with the tanh form of GELU (Shazeer 2020, arXiv:2002.05202). */
export const { forward: geglu, backward: gegluBackward } = gatedUnitKernels("geglu", code);
