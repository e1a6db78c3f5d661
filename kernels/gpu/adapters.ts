import { DeviceError } from "./device_error.ts";
import type { Layout } from "./tensor.ts";

/** An adapter that WebGPU offers; its place in a list is its number. */
export interface OfferedAdapter {
  /** What it calls itself. */
  name: string;
  /** Whether it computes on the CPU. */
  isCpu: boolean;
  /** The adapter, good for one device. */
  adapter: GPUAdapter;
}

// WebGPU has no list of adapters, these are all the ways to ask for one. The first is what opens unless told otherwise.
const REQUESTS: readonly GPURequestAdapterOptions[] = [
  { powerPreference: "high-performance" },
  { powerPreference: "low-power" },
  { forceFallbackAdapter: true },
];

/** Every adapter that WebGPU can be brought to offer, each once, the default first. */
export async function offeredAdapters(gpu: GPU | undefined = navigator.gpu): Promise<OfferedAdapter[]> {
  const offers = new Map<string, OfferedAdapter>();
  for (const request of REQUESTS) {
    const adapter = await gpu?.requestAdapter(request);
    if (!adapter) continue;
    const { vendor, architecture, device, description } = adapter.info;
    const key = JSON.stringify([vendor, architecture, device, description]);
    const offer = { name: adapterName(adapter.info), isCpu: isCpuAdapter(adapter.info), adapter };
    if (!offers.has(key)) offers.set(key, offer);
  }
  return [...offers.values()];
}

/**
 * The adapter with this number among {@link offeredAdapters}, or the first whose name has `wanted` in it in any case;
 * "": the default.
 * @throws {DeviceError} where there is none, with what there is.
 */
export async function findAdapter(wanted: string, gpu: GPU | undefined = navigator.gpu): Promise<GPUAdapter> {
  const missing = "Cannot find a WebGPU adapter: run `./genrec doctor`, it names what to install";
  if (wanted === "") {
    const adapter = await gpu?.requestAdapter(REQUESTS[0]);
    if (adapter) return adapter;
    throw new DeviceError(missing);
  }
  const offers = await offeredAdapters(gpu);
  if (offers.length === 0) throw new DeviceError(missing);
  const found = /^\d+$/.test(wanted)
    ? offers[Number(wanted)]
    : offers.find(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
  if (found) return found.adapter;
  throw new DeviceError(
    `Cannot find adapter "${wanted}": expected the number or a part of the name of ${
      offers.map(({ name }, number) => `${number} ${name}`).join(", ")
    }`,
  );
}

/** What an adapter calls itself. */
export function adapterName({ description, device, vendor, architecture }: GPUAdapterInfo): string {
  // Browsers hide the first two.
  return description || device || `${vendor} ${architecture}`.trim() || "unnamed adapter";
}

/** True for llvmpipe, lavapipe, SwiftShader and their like. */
export function isCpuAdapter(info: GPUAdapterInfo): boolean {
  const fallback = (info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true;
  return fallback ||
    /llvmpipe|lavapipe|swiftshader|basic render/i.test(
      `${info.description} ${info.device} ${info.architecture}`,
    );
}

/** The limits that kernels want as far as an adapter allows. */
export function adapterLimits(limits: GPUSupportedLimits): Record<string, number> {
  const wanted = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxStorageTexturesPerShaderStage",
    "maxTextureDimension2D",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "minStorageBufferOffsetAlignment",
  ] as const;
  // Some versions of Deno report BigInt.
  return Object.fromEntries(wanted.map((name) => [name, Number(limits[name])]));
}

/** Most that a kernel reads and writes. */
const STORAGE_TEXTURES = 8;

/** Where matrices lie on an adapter, as wanted if it can. Throws {@link DeviceError} where it cannot. */
export function layoutOf({ info, limits }: GPUAdapter, isHalf: boolean, wanted?: Layout): Layout {
  const textures = Number(limits.maxStorageTexturesPerShaderStage);
  const hasTextures = textures >= STORAGE_TEXTURES;
  const layout = wanted ?? (isCpuAdapter(info) && !isHalf && hasTextures ? "texture" : "buffer");
  if (layout === "texture" && isHalf) {
    throw new DeviceError(
      "Cannot keep float16 matrices in textures: kernels cannot read textures of float16. Use --variant buffer, or float32",
    );
  }
  if (layout === "texture" && !hasTextures) {
    throw new DeviceError(
      `Cannot keep matrices in textures: this adapter allows ${textures} storage textures a stage, ` +
        `${STORAGE_TEXTURES} are needed. Use --variant buffer`,
    );
  }
  return layout;
}
