/**
 * Judges variants of kernels with Dawn, the WebGPU of Chromium, on a Vulkan driver of one's choice. On Mesa 25, which
 * `bench/drivers.ts` fetches, subgroups have 4, 8 or 16 lanes by the width of its vectors; SwiftShader has 4 alone:
 *
 *     VK_DRIVER_FILES=$PWD/runs/mesa/lvp_icd.json LP_NATIVE_VECTOR_WIDTH=512 \
 *         deno run --no-lock -A tests/web/kernels/dawn.ts attention=subgroups attention
 */
const PACKAGE = "npm:webgpu@0.3.8"; // in a constant, so that it is downloaded for this alone
const { create, globals } = await import(PACKAGE);
Object.assign(globalThis, globals);
Object.defineProperty(navigator, "gpu", { value: create([]) });
// Reads `navigator.gpu` when it opens a device, and leaves what it does in `judge`.
await import("./judge.ts");

const { judge } = globalThis as unknown as {
  judge: { open(): Promise<string[]>; check(variants: string, names: readonly string[]): Promise<number> };
};
await judge.open();
const { subgroupMinSize, subgroupMaxSize, description } = (await navigator.gpu.requestAdapter())!.info;
console.log(`${description}, subgroups of ${subgroupMinSize} to ${subgroupMaxSize}`);
const [variants, ...names] = Deno.args;
console.log(
  `${await judge.check(variants, names)} checks of ${names.join(", ")} with ${variants}: all right`,
);
Deno.exit(); // Dawn keeps threads
