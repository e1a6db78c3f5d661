// In a browser: kernels of a bundle, checked there against their references. Tests call what stands in `judge`.
import { autotune } from "../../../kernels/autotune.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import type { KernelSpec } from "../../../kernels/gpu/spec.ts";
import { OPERATIONS } from "../../../kernels/operations.ts";
import * as registry from "../../../kernels/registry.ts";
import { parseVariants } from "../../../kernels/variant_names.ts";
import { casesOf, checkBackward, checkForward } from "../../kernel_check.ts";

const specs = Object.values(registry) as unknown as KernelSpec<unknown>[];
let device: Device | undefined;

const judge = {
  /** Opens the device -> its features. */
  async open(): Promise<string[]> {
    device = await Device.open();
    return [...device.features];
  },

  /** Checks kernels, served by these variants, with all cases forward and backward -> number of checks. Throws what is wrong. */
  async check(variants: string, names: readonly string[]): Promise<number> {
    const pinned = device!.sibling(parseVariants(variants).variants);
    let checks = 0;
    for (const spec of specs.filter(({ name }) => names.includes(name))) {
      for (const kernelCase of casesOf(spec)) {
        await checkForward(pinned, spec, kernelCase);
        if (spec.backward) await checkBackward(pinned, spec, kernelCase);
        checks += spec.backward ? 2 : 1;
      }
    }
    return checks;
  },

  /** Times the variants of these operations at their usual shapes -> lines of the tuner. */
  async tune(names: readonly string[]): Promise<string[]> {
    const lines: string[] = [];
    const tuned = device!.sibling();
    for (const operation of OPERATIONS.filter(({ name }) => names.includes(name))) {
      operation.usualShapes.forEach((shape) => tuned.variants.of(operation, shape));
    }
    await autotune(tuned, new Map(), { budget: 0.001, log: (line) => lines.push(line) });
    return lines;
  },
};

Object.assign(globalThis, { judge });
