import assert from "node:assert/strict";
import { join } from "node:path";
import { Variants } from "../../../kernels/gpu/variants.ts";
import { MATMUL } from "../../../kernels/matmul/matmul.ts";
import { adapterOfRank, choiceStore, openDevice } from "../../../tasks/_cli/open_device.ts";
import { cpuDriver } from "../../../tasks/_doctor/cpu_driver.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

Deno.test("adapterOfRank() deals the GPUs of a machine to its ranks in turn, and leaves CPU adapters to WebGPU", () => {
  const gpu = { isCpu: false }, cpu = { isCpu: true };
  const dealt = (...adapters: { isCpu: boolean }[]) =>
    [0, 1, 2, 3].map((rank) => adapterOfRank(adapters, rank)).join();
  assert.equal(dealt(gpu, gpu), "0,1,0,1");
  assert.equal(dealt(cpu, gpu, gpu), "1,2,1,2");
  assert.equal(dealt(gpu, cpu), "0,0,0,0");
  assert.equal(dealt(cpu), ",,,");
  assert.equal(dealt(), ",,,");
});

const SHAPE = { form: "ab", rows: 2048, cols: 256, inner: 256 } as const;

Deno.test("a tuned choice is read again by the same driver and width alone", async () => {
  await withCache(() => {
    const variantsOf = (driver: string, bits: number) => {
      const variants = new Variants(`llvmpipe (LLVM 15.0.6, ${bits} bits)`, true);
      variants.useStore(choiceStore(driver));
      return variants;
    };
    const fallback = MATMUL.defaultOf(true, new Set()).name;
    const tuned = MATMUL.variants.find(({ name, needs }) => name !== fallback && !needs)!.name;
    variantsOf("Mesa 22.3.6", 256).adopt(MATMUL, SHAPE, tuned);
    const read = (driver: string, bits: number) => variantsOf(driver, bits).of(MATMUL, SHAPE).name;
    assert.equal(read("Mesa 22.3.6", 256), tuned);
    assert.equal(read("Mesa 25.0.7", 256), fallback);
    assert.equal(read("Mesa 22.3.6", 512), fallback);
  });
});

Deno.test("openDevice() keeps choices under this adapter, and on a CPU under the driver that runs it", async () => {
  await withCache(async (cache) => {
    const { device } = await openDevice({ adapter: "", variant: "" });
    device.variants.adopt(MATMUL, SHAPE, MATMUL.variants[0].name);
    const [key] = Object.keys(JSON.parse(await Deno.readTextFile(join(cache, "variants.json"))));
    assert.match(key, new RegExp(RegExp.escape(device.info.description)));
    const driver = device.isCpu ? cpuDriver()?.version : undefined;
    if (driver) assert.match(key, new RegExp(RegExp.escape(` | ${driver} | `)));
  });
});

Deno.test("devices of stages that store alike have one set of kernels, however they ask for it", async () => {
  const flags = { adapter: "", variant: "" };
  const { device } = await openDevice(flags), { gpu, compiled } = device;
  const others = [openDevice(flags, { dtype: "float32" }), openDevice(flags, { layout: undefined })];
  for (const { device: other } of await Promise.all(others)) {
    assert.ok(other !== device && other.gpu === gpu && other.compiled === compiled);
  }
  const half = await openDevice(flags, { dtype: "float16" });
  assert.ok(half.device.compiled !== compiled);
});

/** Runs `body` with a cache of its own. */
async function withCache(body: (cache: string) => void | Promise<void>): Promise<void> {
  await withFiles({}, async (folder) => {
    const before = Deno.env.get("GENREC_CACHE");
    Deno.env.set("GENREC_CACHE", folder);
    try {
      await body(folder);
    } finally {
      if (before === undefined) Deno.env.delete("GENREC_CACHE");
      else Deno.env.set("GENREC_CACHE", before);
    }
  });
}
