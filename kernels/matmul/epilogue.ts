import type { Kernel } from "../gpu/kernel.ts";
import epilogue from "./epilogue.wgsl" with { type: "text" };
import params from "./params.wgsl" with { type: "text" };
import plain from "./plain.wgsl" with { type: "text" };

/** One of {@link ACTIVATIONS}. */
export type Activation = "none" | "relu" | "silu" | "gelu";

/** `v` after each activation. */
const ACTIVATED: Readonly<Record<Activation, string>> = {
  none: "v",
  relu: "max(v, vec4f(0))",
  silu: "v / (1 + exp(-v))",
  gelu: "v / (1 + exp(-1.5957691216 * (v + 0.044715 * v * v * v)))",
};

/** Activations that a product can apply to its result. */
export const ACTIVATIONS = Object.keys(ACTIVATED) as readonly Activation[];

/** What follows a product: nothing, or an addend where there is one, an activation, and zeros in the padding lanes. */
export type Epilogue = "plain" | Activation;

/**
 * `kernel` by what follows the product. Its code ends each part of the result with `finish4`, which stands in the text
 * once a part: one that tells epilogues apart when it runs costs registers, and most of the time that compiling takes.
 */
export function byEpilogue(kernel: Kernel): (epilogue: Epilogue) => Kernel {
  const made = new Map<Epilogue, Kernel>();
  return (name) => {
    const known = made.get(name);
    if (known) return known;
    const end = name === "plain"
      ? plain
      : `fn activate(v: vec4f) -> vec4f { return ${ACTIVATED[name]}; }\n${epilogue}`;
    const ended = { ...kernel, code: params + end + kernel.code };
    made.set(name, ended);
    return ended;
  };
}
