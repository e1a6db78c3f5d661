import assert from "node:assert/strict";
import { PATH_ATTENTION } from "../../../../kernels/attention/beams/beam_paths.ts";
import { spec as pathAttentionSpec } from "../../../../kernels/attention/beams/beam_paths_spec.ts";
import { Device } from "../../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../../kernels/gpu/device_error.ts";
import type { KernelSpec } from "../../../../kernels/gpu/spec.ts";
import { SOFTMAX } from "../../../../kernels/loss/cross_entropy.ts";
import { spec as crossEntropySpec } from "../../../../kernels/loss/cross_entropy_spec.ts";
import { RESIDUAL_NORM } from "../../../../kernels/norm/residual/add_rms.ts";
import { spec as addRmsNormSpec } from "../../../../kernels/norm/residual/add_rms_spec.ts";
import { NORM } from "../../../../kernels/norm/rms.ts";
import { rmsNormGainSpec, spec as rmsNormSpec } from "../../../../kernels/norm/rms_spec.ts";
import { LOG_SUM } from "../../../../kernels/reduce/log_sum_exp.ts";
import { chunksSpec, spec as logSumExpSpec } from "../../../../kernels/reduce/log_sum_exp_spec.ts";
import { TOP_K } from "../../../../kernels/trie/search/topk.ts";
import { trieTopKSpec } from "../../../../kernels/trie/search/topk_spec.ts";
import { type Operation, Variants } from "../../../../kernels/gpu/variants.ts";
import { casesOf, checkBackward, checkForward } from "../../../kernel_check.ts";
import { sharedDevice } from "../../../shared_device.ts";

const SHAPE = { rows: 8, cols: 64 };

Deno.test("every variant of a reduction that the device can run equals the reference", async () => {
  const specs: { operation: Operation; specs: readonly unknown[] }[] = [
    { operation: NORM, specs: [rmsNormSpec, rmsNormGainSpec] },
    { operation: RESIDUAL_NORM, specs: [addRmsNormSpec] },
    { operation: LOG_SUM, specs: [logSumExpSpec, chunksSpec] },
    { operation: TOP_K, specs: [trieTopKSpec] },
    { operation: PATH_ATTENTION, specs: [pathAttentionSpec] },
    { operation: SOFTMAX, specs: [crossEntropySpec] },
  ];
  for (const layout of ["texture", "buffer"] as const) {
    const device = (await sharedDevice(layout)).sibling();
    for (const { operation, specs: checked } of specs) {
      for (const { name } of device.variants.candidates(operation)) {
        device.variants.pin(operation, name);
        for (const spec of checked as KernelSpec<unknown>[]) {
          for (const kernelCase of casesOf(spec)) {
            await checkForward(device, spec, kernelCase);
            if (spec.backward) await checkBackward(device, spec, kernelCase);
          }
        }
      }
    }
  }
});

Deno.test("a device without subgroups neither tunes, nor keeps, nor takes a variant that needs them", () => {
  const stored = new Map([["gpu | softmax 8x64", "subgroups"], ["gpu | norm 8x64", "subgroups"]]);
  const without = new Variants("gpu", false);
  without.useStore(stored);
  assert.equal(without.of(SOFTMAX, SHAPE).name, "workgroup");
  assert.equal(without.of(NORM, SHAPE).name, "invocation");
  assert.deepEqual(without.untuned(SOFTMAX), [SHAPE]);
  assert.deepEqual(without.untuned(NORM), [], "one variant is left: nothing to time");
  assert.deepEqual(without.candidates(SOFTMAX).map(({ name }) => name), ["invocation", "workgroup"]);
  assert.throws(() => without.pin(SOFTMAX, "subgroups"), (error: Error) => {
    assert.ok(error instanceof DeviceError);
    assert.equal(
      error.message,
      'Cannot use variant "subgroups" of softmax: this device has no subgroups. Use one of invocation, workgroup',
    );
    return true;
  });
  const able = new Variants("gpu", false, [], new Set(["subgroups"]));
  able.useStore(stored);
  assert.equal(able.of(SOFTMAX, SHAPE).name, "subgroups");
  assert.equal(able.of(LOG_SUM, SHAPE).name, "invocation");
  assert.deepEqual(able.untuned(LOG_SUM), [SHAPE]);
});

Deno.test("a device refuses to open with a variant that its adapter cannot run", async () => {
  const { features } = await sharedDevice();
  if (features.has("subgroups")) return;
  const variant = NORM.variants.find(({ name }) => name === "subgroups")!;
  await assert.rejects(Device.open({ variants: [{ operation: NORM, variant }] }), {
    message: 'Cannot use variant "subgroups" of norm: this device has no subgroups. Use one of invocation',
  });
});
