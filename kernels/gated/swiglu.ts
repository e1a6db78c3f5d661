import { gatedUnitKernels } from "./unit.ts";
import code from "./swiglu.wgsl" with { type: "text" };

/** Gated unit with SiLU (Shazeer 2020, arXiv:2002.05202). */
export const { forward: swiglu, backward: swigluBackward } = gatedUnitKernels("swiglu", code);
