import { Device } from "../kernels/device.ts";
import type { Layout } from "../kernels/tensor.ts";
import * as registry from "../kernels/registry.ts";
import type { KernelSpec } from "../kernels/spec.ts";
import { checkBackward, checkForward } from "./kernel_check.ts";

const specs = Object.values(registry) as unknown as KernelSpec<unknown>[];

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`kernels in ${layout} layout`, async (t) => {
    const device = await Device.open({ layout });
    for (const spec of specs) {
      await t.step(`${spec.name} equals its reference`, async () => {
        for (const kernelCase of spec.cases()) await checkForward(device, spec, kernelCase);
      });
      if (!spec.backward) continue;
      await t.step(`${spec.name} backward equals central differences of the reference`, async () => {
        for (const kernelCase of spec.cases()) await checkBackward(device, spec, kernelCase);
      });
    }
  });
}
