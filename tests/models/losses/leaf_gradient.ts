import type { Tape } from "../../../kernels/tape.ts";
import type { Matrix } from "../../../kernels/gpu/tensor.ts";

/** Gradient that the tape hands to `leaf`, undefined where it has none. Ask before anything reads the leaf. */
export function gradientOf(tape: Tape, leaf: Matrix): Promise<Float32Array | undefined> {
  return new Promise((resolve, reject) =>
    tape.record(() => {
      const gradient = tape.gradient(leaf);
      if (gradient) tape.device.read(gradient).then(([values]) => resolve(values), reject);
      else resolve(undefined);
    })
  );
}
