import { ATTENTION } from "../../kernels/attention/attention.ts";
import assert from "node:assert/strict";
import { autotune, pickFastest, slope } from "../../kernels/autotune.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { MATMUL } from "../../kernels/matmul/matmul.ts";
import { sharedVariant } from "../../kernels/matmul/shared/shared.ts";
import { describeVariants } from "../../kernels/variant_names.ts";

Deno.test("slope() is 2 ms when one call waits 13 ms and eleven wait 33 ms", () => {
  assert.equal(slope(13, 33, 10), 2);
});

Deno.test("slope() is never negative", () => {
  assert.equal(slope(13, 12, 10), 0);
});

Deno.test("pickFastest() picks the smaller median", () => {
  const timings = [{ name: "tiles", seconds: [9, 10, 10] }, { name: "shared", seconds: [5, 5, 30] }];
  assert.equal(pickFastest([timings[0], { name: "shared", seconds: [5, 5, 6] }]), "shared");
  // Half the spread of shared is 12.5: it may well be slower.
  assert.equal(pickFastest(timings), "tiles");
});

Deno.test("pickFastest() leaves ties within 3 % to the first", () => {
  assert.equal(
    pickFastest([{ name: "tiles", seconds: [1] }, { name: "shared", seconds: [0.98] }]),
    "tiles",
  );
  assert.equal(
    pickFastest([{ name: "tiles", seconds: [1] }, { name: "shared", seconds: [0.96] }]),
    "shared",
  );
});

Deno.test("autotune() times each class that was asked for once and keeps its choice", async () => {
  const device = await Device.open();
  const store = new Map<string, string>();
  const shape = { heads: 2, kvHeads: 1, headDim: 8 };
  for (const form of ["ab", "abt", "atb"] as const) {
    device.variants.of(MATMUL, { form, rows: 40, cols: 24, inner: 12 });
  }
  device.variants.of(ATTENTION, { ...shape, pass: "forward", rows: 20 });
  device.variants.of(ATTENTION, { ...shape, pass: "backward", rows: 20 });
  const lines: string[] = [];
  await autotune(device, store, { budget: 0.001, log: (line) => lines.push(line) });

  assert.equal(lines.length, 5, lines.join("\n"));
  assert.ok(lines.every((line) => /^(matmul|attention) .* us/.test(line)), lines.join("\n"));
  assert.equal(store.size, 5);
  assert.equal(describeVariants(device).filter(({ why }) => why === "tuned").length, 5);
  for (const [key, name] of store) {
    if (key.includes("matmul")) assert.ok(MATMUL.variants.some((variant) => variant.name === name));
  }
  if (device.layout === "texture") assert.equal(device.memory.buffers, 0, "no flat of a workload is left");

  const { dispatches } = device.counters;
  await autotune(device, store);
  assert.equal(device.counters.dispatches, dispatches, "nothing is left to time");
});

Deno.test("autotune() leaves pinned operations alone", async () => {
  const device = await Device.open({ variants: [{ operation: MATMUL, variant: sharedVariant }] });
  const store = new Map<string, string>();
  device.variants.of(MATMUL, { form: "ab", rows: 40, cols: 24, inner: 12 });
  await autotune(device, store);
  assert.equal(store.size, 0);
  assert.equal(device.variants.pinned(MATMUL), "shared");
});
