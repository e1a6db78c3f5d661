import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import { cacheFolder, claimCache } from "../../base/files/cache_folder.ts";
import { Device, type DeviceOptions } from "../../kernels/gpu/device.ts";
import type { ChoiceStore } from "../../kernels/gpu/variants.ts";
import { parseVariants } from "../../kernels/variant_names.ts";
import { remember } from "./open_devices.ts";

/** Flags that all tasks with a device share. */
export const DeviceFlags = {
  adapter: z.string().default("").describe(
    "number or part of the name of one of the adapters that doctor lists, those of the backend (vulkan, gl, metal, dx12) " +
      "in DENO_WEBGPU_BACKEND; empty: the one for high performance",
  ),
  variant: z.string().default("").describe(
    "kernels to use instead of the tuned ones, e.g. matmul=shared,attention=rows,layout=buffer",
  ),
};

/** Values of {@link DeviceFlags}. */
export type DeviceChoice = { [K in keyof typeof DeviceFlags]: string };

/**
 * Opens the adapter that `--adapter` names with the kernels that `--variant` names, and the choices that earlier tuning
 * left in the user's cache; matrices are stored as `storage` says unless the variant says otherwise.
 */
export async function openDevice(
  { adapter, variant }: DeviceChoice,
  storage: Pick<DeviceOptions, "layout" | "dtype"> = {},
): Promise<{ device: Device; store: ChoiceStore }> {
  const device = await Device.open({ adapter, ...storage, ...parseVariants(variant) });
  remember(device);
  // Matrices of a CPU adapter lie in the memory of the machine; a GPU tells of its own when it is full.
  if (device.isCpu) device.memoryLimit = Deno.systemMemoryInfo().available;
  const store = choiceStore();
  device.variants.useStore(store);
  return { device, store };
}

/** Tuned kernel choices in `variants.json` of the user's cache; a file that cannot be written is only not kept. */
function choiceStore(): ChoiceStore {
  const path = join(cacheFolder(), "variants.json");
  const prefix = `${manifest.version} deno ${Deno.version.deno} | `;
  let choices: Record<string, string> = {};
  const isOurs = claimCache();
  try {
    if (isOurs) choices = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // Nothing tuned yet.
  }
  return {
    get: (key) => choices[prefix + key],
    set(key, value) {
      choices[prefix + key] = value;
      if (!isOurs) return;
      try {
        writeFileSync(path, JSON.stringify(choices, null, 1));
      } catch {
        // Tuned again next time.
      }
    },
  };
}
