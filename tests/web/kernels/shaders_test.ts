// Every shader is valid WGSL for a browser too, which is stricter than Deno: Chromium compiles what the kernels are made of.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Chromium, chromiumPath } from "../../../bench/browser/chromium.ts";
import { StaticHost } from "../../../bench/browser/static_host.ts";
import { kmeansStart } from "../../../kernels/clustering/start.ts";
import { Device, type DeviceOptions } from "../../../kernels/gpu/device.ts";
import { openRehearsal } from "../../../kernels/gpu/rehearsal.ts";
import type { KernelCase, KernelSpec } from "../../../kernels/gpu/spec.ts";
import { OPERATIONS } from "../../../kernels/operations.ts";
import { parseVariants } from "../../../kernels/variant_names.ts";
import * as registry from "../../../kernels/registry.ts";
import { uploadAll } from "../../kernel_check.ts";
import { sharedDevice } from "../../shared_device.ts";

const isMissing = chromiumPath() === undefined;
if (isMissing) {
  console.error("Shaders are not compiled in a browser: there is no Chromium. apt-get install chromium");
}

const specs = Object.values(registry) as unknown as KernelSpec<unknown>[];
const cases = specs.map((spec) => spec.cases());
/** Shaders that are handed to the browser at one time. */
const PART = 40;

/** What is optional in WebGPU, and which shaders need it. */
const NEEDS = { "shader-f16": /^enable f16;/m, "subgroups": /^enable subgroups;/m };

/** What stands for a shader in a browser without shader-f16: the same in float32, whose structure is as much to be judged. */
function inFloat32(code: string): string {
  return code.replace("enable f16;\n", "").replaceAll(/\b(vec4|mat4x4)h\b/g, "$1f");
}

/** A device that computes nothing and tells the shaders that it is to compile. */
async function recorder(onShader: (shader: GPUShaderModuleDescriptor) => void, options: DeviceOptions) {
  const device = await sharedDevice();
  const { gpu } = await openRehearsal(device, options.dtype);
  const { createShaderModule } = gpu;
  gpu.createShaderModule = (shader) => {
    onShader(shader);
    return createShaderModule(shader);
  };
  const features = new Set(Object.keys(NEEDS));
  Object.assign(gpu, { features });
  const adapter = { info: device.info, features, limits: device.limits, requestDevice: () => gpu };
  return await Device.open({ ...options, gpu: { requestAdapter: () => adapter } as unknown as GPU });
}

/** Shaders of all kernels in all layouts, with all variants, by their source. */
async function allShaders(): Promise<Map<string, string>> {
  const shaders = new Map<string, string>();
  const variants = OPERATIONS.flatMap(({ variants }) =>
    variants.map(({ name }) => parseVariants(name).variants)
  );
  const storages: DeviceOptions[] = [
    { layout: "texture" },
    { layout: "texture", stagedFrom: 1 },
    { layout: "buffer" },
    { dtype: "float16" },
  ];
  for (const storage of storages) {
    // Variants for wider vectors have the text of others.
    const lacking = ["512-bit vectors", ...storage.dtype === "float16" ? [] : ["float16 storage"]];
    const able = variants.filter((pinned) =>
      !pinned.some(({ variant: { needs = [] } }) => needs.some((need) => lacking.includes(need)))
    );
    for (const pinned of [undefined, ...able]) {
      const device = await recorder(({ code, label }) => shaders.set(code, label ?? ""), {
        ...storage,
        variants: pinned,
      });
      for (const [i, spec] of specs.entries()) {
        for (const kernelCase of cases[i]) record(device, spec, kernelCase);
      }
      recordStart(device);
    }
  }
  return shaders;
}

function record<A>(device: Device, spec: KernelSpec<A>, { inputs, attributes }: KernelCase<A>): void {
  device.scope(() => {
    const tensors = uploadAll(device, inputs);
    const outputs = spec.forward(device, tensors, attributes);
    // What is in them does not matter: nothing is computed.
    spec.backward?.(device, tensors, outputs, outputs, attributes);
  });
}

/** The kernel that chooses by chance and so has no reference. */
function recordStart(device: Device): void {
  kmeansStart(device, device.createMatrix(5, 4), 2, {
    chosen: device.createFlat("u32", 3),
    weights: device.createFlat("f32", 5),
    uniforms: device.createFlat("f32", 2),
  });
}

/** Files of kernels that have an entry point, such as `kernels/norm/rms.wgsl`. */
async function shaderFiles(): Promise<string[]> {
  const names = readdirSync("kernels", { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => name.endsWith(".wgsl")).map((name) => `kernels/${name}`);
  const texts = await Promise.all(files.map((path) => Deno.readTextFile(path)));
  return files.filter((_, i) => texts[i].includes("@compute"));
}

/** In the page: what is wrong with shaders, by index. */
const COMPILE = `globalThis.compile = (() => {
  const device = navigator.gpu.requestAdapter().then((adapter) => adapter.requestDevice({
    requiredFeatures: ${
  JSON.stringify(Object.keys(NEEDS))
}.filter((feature) => adapter.features.has(feature)),
  }));
  return async (codes) => {
    const gpu = await device;
    const found = [];
    for (const [i, code] of codes.entries()) {
      gpu.pushErrorScope("validation");
      const { messages } = await gpu.createShaderModule({ code }).getCompilationInfo();
      const error = await gpu.popErrorScope();
      const wrong = messages.filter(({ type }) => type === "error");
      if (wrong.length || error) found.push([i, error?.message ?? wrong[0].message]);
    }
    return { found, features: [...gpu.features] };
  };
})(), true`;

Deno.test({
  name: "Chromium compiles every shader",
  ignore: isMissing,
  async fn() {
    const shaders = await allShaders();
    const labels = new Set(shaders.values());
    assert.deepEqual((await shaderFiles()).filter((path) => !labels.has(path)), []);
    const folder = await Deno.makeTempDir({ prefix: "genrec-shaders-" });
    try {
      await Deno.writeTextFile(`${folder}/index.html`, "<!doctype html><title>Shaders</title>");
      await using host = new StaticHost(folder);
      await using browser = await Chromium.start();
      await browser.open(host.url);
      await browser.until("document.title === 'Shaders'");
      await browser.evaluate(COMPILE);
      const { features } = await compiled(browser, ["@compute @workgroup_size(1) fn main() {}"]);
      const missing = Object.entries(NEEDS).filter(([feature]) => !features.includes(feature));
      const written = [...shaders].map(([code, label]) =>
        [features.includes("shader-f16") ? code : inFloat32(code), label] as const
      );
      const able = written.filter(([code]) => !missing.some(([, needs]) => needs.test(code)));
      const broken = await compiled(browser, ["fn main() { let a = 1u << 2u + 1u; }"]);
      assert.equal(broken.found.length, 1, "what Chromium refuses is found");
      const wrong: string[] = [];
      for (let start = 0; start < able.length; start += PART) {
        const part = able.slice(start, start + PART);
        const { found } = await compiled(browser, part.map(([code]) => code));
        for (const [i, message] of found) wrong.push(`${part[i][1]}: ${message}`);
      }
      assert.deepEqual(wrong, []);
      if (able.length < shaders.size) {
        const names = missing.map(([feature]) => feature).join(" and ");
        console.error(`Not compiled: ${shaders.size - able.length} shaders, the browser has no ${names}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

function compiled(
  browser: Chromium,
  codes: readonly string[],
): Promise<{ found: [index: number, message: string][]; features: string[] }> {
  return browser.evaluate(`compile(${JSON.stringify(codes)})`);
}
