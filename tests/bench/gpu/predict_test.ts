import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openCountingGpu } from "../../../bench/gpu/count_work.ts";
import { predict } from "../../../bench/gpu/predict.ts";
import * as SPECS from "../../../kernels/registry.ts";
import { add } from "../../../kernels/elementwise/add.ts";
import { matmul, matmulAt } from "../../../kernels/matmul/matmul.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { sharedDevice } from "../../shared_device.ts";

Deno.test("openCountingGpu() counts what each dispatch has to do", async () => {
  const { device, dispatches } = await openCountingGpu("NVIDIA H200", await sharedDevice("buffer"));
  assert.equal(device.isCpu, false);
  const [a, b] = [device.createMatrix(10, 8), device.createMatrix(8, 12)];
  device.scope(() => {
    const c = matmul(device, a, b);
    add(device, c, c);
    matmulAt(device, a, c, device.createFlat("f32", 8 * 12), true);
  });
  assert.deepEqual(dispatches.map(({ flops, bytes }) => [flops, bytes]), [
    [2 * 10 * 8 * 12, 4 * (10 * 8 + 8 * 12 + 10 * 12)],
    [0, 4 * (10 * 12 + 10 * 12)], // one operand, though read as two
    [2 * 10 * 8 * 12, 4 * (10 * 8 + 10 * 12 + 2 * 8 * 12)], // is added to: read and written
  ]);
  assert.match(dispatches[1].kernel, /^elementwise\//);
});

Deno.test("predict() has a time for every kernel of the registry and of a step", async () => {
  const like = await sharedDevice("buffer");
  const peaks = { f32: 1e12, f16: 2e12, bandwidth: 1e10 };
  const { operations, steps, registry } = await predict("a GPU", peaks, like, { side: 64, tokens: 256 });
  const product = operations.find(({ name }) => name === "matmul ab 64x64x64")!;
  assert.equal(product.milliseconds, 1000 * 3 * 64 * 64 * 4 / 1e10); // longer than 2 * 64^3 / 1e12
  assert.equal(product.bound, "memory");
  const half = operations.find(({ name }) => /^attention forward .* in float16$/.test(name))!;
  const wide = operations.find(({ name }) => `${name} in float16` === half.name)!;
  assert.deepEqual([half.flops, half.bytes], [wide.flops, wide.bytes / 2]);
  const told = new Set(registry.map(({ name }) => name.split(",")[0]));
  assert.deepEqual(Object.values(SPECS).map(({ name }) => name).filter((name) => !told.has(name)), []);
  const [step] = steps;
  assert.ok(step.kernels.length > 10 && step.kernels.every(({ milliseconds }) => milliseconds > 0));
  const total = step.kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  assert.ok(Math.abs(step.milliseconds / total - 1) < 1e-9);
});

Deno.test("report.ts --predict writes what it predicts for a GPU that is not here", async () => {
  await withFiles({}, async (folder) => {
    const script = fileURLToPath(new URL("../../../bench/gpu/report.ts", import.meta.url));
    const run = (...flags: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", script, "--predict", "--quick", "--out", folder, ...flags],
      }).output();
    assert.equal((await run("--gpu", "H200")).code, 0);
    const { roofline } = JSON.parse(await Deno.readTextFile(`${folder}/kernels.json`));
    assert.match(roofline.machine, /^predicted for H200, not run/);
    const unknown = await run("--gpu", "Voodoo 2");
    assert.equal(unknown.code, 1);
    assert.match(
      new TextDecoder().decode(unknown.stderr),
      /Cannot predict for "Voodoo 2": its peaks are not known/,
    );
  });
});
