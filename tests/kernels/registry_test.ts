import { Device, type DeviceOptions } from "../../kernels/gpu/device.ts";
import * as registry from "../../kernels/registry.ts";
import type { KernelSpec } from "../../kernels/gpu/spec.ts";
import { casesOf, checkBackward, checkForward } from "../kernel_check.ts";

const specs = Object.values(registry) as unknown as KernelSpec<unknown>[];

interface Setting {
  name: string;
  options: DeviceOptions;
  /** Of each kernel; the rest differ in widths, which are the same whatever an operand is stored as. */
  cases: number;
  /** Kernels that cannot be compared. */
  except: string[];
}

const SETTINGS: Setting[] = [
  { name: "texture layout", options: { layout: "texture" }, cases: Infinity, except: [] },
  // The least result goes through a buffer, as large ones do.
  { name: "texture layout, staged", options: { layout: "texture", stagedFrom: 1 }, cases: 3, except: [] },
  { name: "buffer layout", options: { layout: "buffer" }, cases: Infinity, except: [] },
  // Rounded points lie at equal distances from codewords, so that the label is a matter of taste.
  { name: "float16", options: { dtype: "float16" }, cases: 2, except: ["sinkhornLabels"] },
];

for (const { name, options, cases, except } of SETTINGS) {
  Deno.test(`kernels in ${name}`, async (t) => {
    const device = await Device.open(options);
    for (const spec of specs.filter((spec) => !except.includes(spec.name))) {
      await t.step(`${spec.name} equals its reference`, async () => {
        for (const kernelCase of casesOf(spec).slice(0, cases)) await checkForward(device, spec, kernelCase);
      });
      if (!spec.backward) continue;
      await t.step(`${spec.name} backward equals central differences of the reference`, async () => {
        for (const kernelCase of casesOf(spec).slice(0, cases)) await checkBackward(device, spec, kernelCase);
      });
    }
  });
}
