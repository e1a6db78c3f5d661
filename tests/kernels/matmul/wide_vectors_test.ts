import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Device } from "../../../kernels/gpu/device.ts";
import { matrixOf, noise } from "../../../kernels/gpu/spec.ts";
import { MATMUL } from "../../../kernels/matmul/matmul.ts";
import { matmulAtSpec, matmulBtSpec, matmulSpec } from "../../../kernels/matmul/matmul_spec.ts";
import { checkForward } from "../../kernel_check.ts";

const NAME = "tiles-16";

// The CPU adapter reads the width of its vectors once, so a process of its own has the other one.
Deno.test("matmul tiles-16 serves untuned where vectors have 512 bits and equals the reference there, and is refused elsewhere", async () => {
  const device = await Device.open();
  const isWide = device.variants.candidates(MATMUL).some(({ name }) => name === NAME);
  if (!isWide) assert.throws(() => device.variants.pin(MATMUL, NAME), /no 512-bit vectors/);
  if (!device.info.description.startsWith("llvmpipe")) return;
  if (!isWide) {
    assert.notEqual(Deno.env.get("LP_NATIVE_VECTOR_WIDTH"), "512", "the driver did not hear of the width");
    // Mesa 25 would run shaders of the other width that are in its cache.
    const shaders = await Deno.makeTempDir({ prefix: "genrec-shaders-" });
    try {
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "-A", "-q", "--no-check", fileURLToPath(import.meta.url)],
        env: { LP_NATIVE_VECTOR_WIDTH: "512", MESA_SHADER_CACHE_DIR: shaders },
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(shaders, { recursive: true });
    }
    return;
  }
  const served = device.variants.of(MATMUL, { form: "ab", rows: 150, cols: 138, inner: 37 });
  assert.equal(served.name, NAME, "untuned");
  const next = noise(7);
  // Tiles at every edge, more of them than a workgroup has, and one step more than whole steps of the contraction.
  const [m, n, k] = [150, 138, 37];
  const bias = matrixOf(1, n, next);
  const name = "tiles", attributes = { activation: "none" } as const;
  const ab = { a: matrixOf(m, k, next), b: matrixOf(k, n, next), bias };
  await checkForward(device, matmulSpec, { name, inputs: ab, attributes });
  const abt = { a: matrixOf(m, k, next), b: matrixOf(n, k, next), bias };
  await checkForward(device, matmulBtSpec, { name, inputs: abt, attributes });
  const atb = { a: matrixOf(k, m, next), b: matrixOf(k, n, next) };
  await checkForward(device, matmulAtSpec, { name, inputs: atb, attributes });
});
