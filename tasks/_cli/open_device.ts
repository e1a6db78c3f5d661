import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import { cacheFolder, claimCache } from "../../base/files/cache_folder.ts";
import { ALONE, gatherJson, type World } from "../../base/parallel/world.ts";
import { ranksHere } from "../../base/parallel/agree.ts";
import { adapterName, offeredAdapters } from "../../kernels/gpu/adapters.ts";
import { Device, type DeviceOptions } from "../../kernels/gpu/device.ts";
import type { ChoiceStore } from "../../kernels/gpu/variants.ts";
import { parseVariants } from "../../kernels/variant_names.ts";
import { cpuDriver } from "../_doctor/cpu_driver.ts";
import type { TaskIO } from "./cli.ts";
import { remember } from "./open_devices.ts";

/** Flags that all tasks with a device share. */
export const DeviceFlags = {
  adapter: z.string().default("").describe(
    "number or part of the name of one of the adapters that doctor lists, those of the backend (vulkan, gl, metal, dx12) " +
      "in DENO_WEBGPU_BACKEND; empty: the one for high performance; auto, and empty under mpirun: of the GPUs the one of " +
      "the process's number on its machine",
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
  { world, log }: Pick<TaskIO, "world" | "log"> = { world: ALONE, log() {} },
): Promise<{ device: Device; store: ChoiceStore }> {
  const isAuto = adapter === "auto" || adapter === "" && world.size > 1;
  const wanted = isAuto
    ? adapterOfRank(await offeredAdapters(), world.places[world.rank].localRank)
    : adapter;
  const device = await openSibling({ adapter: wanted, ...storage, ...parseVariants(variant) });
  remember(device);
  for (const line of await sharedAdapters(world, device)) log(line);
  // Matrices of a CPU adapter lie in the memory of the machine; a GPU tells of its own when it is full.
  if (device.isCpu) device.memoryLimit = Deno.systemMemoryInfo().available / ranksHere(world);
  const store = choiceStore(device.isCpu ? cpuDriver()?.version : undefined);
  device.variants.useStore(store);
  return { device, store };
}

/** The first device of each adapter and storage, by both. */
const first = new Map<string, Device>();

/** A device with what tasks and stages before it have compiled in this process. */
async function openSibling({ variants, dtype = "float32", ...rest }: DeviceOptions): Promise<Device> {
  const options = { ...rest, dtype };
  const key = JSON.stringify(options);
  const known = first.get(key);
  if (known) return known.sibling(variants);
  const device = await Device.open({ ...options, variants });
  first.set(key, device);
  // One that is lost, or that its user destroyed, serves nobody any more.
  device.gpu.lost.then(() => first.delete(key));
  return device;
}

/** Number of the adapter of a rank by its number on its machine: the GPUs there in turn; "" where there is none. */
export function adapterOfRank(adapters: readonly { isCpu: boolean }[], localRank: number): string {
  const gpus = adapters.flatMap(({ isCpu }, number) => isCpu ? [] : [number]);
  return gpus.length === 0 ? "" : String(gpus[localRank % gpus.length]);
}

/** Lines about adapters on which several ranks compute, about ranks with different ones, and of few cores. */
async function sharedAdapters(world: World, { info, isCpu }: Device): Promise<string[]> {
  if (world.size === 1) return [];
  const names = await gatherJson(world, adapterName(info));
  const cores = cpus().length;
  const isBound = isCpu && cores > 1 && navigator.hardwareConcurrency === 1;
  const bound = (await gatherJson(world, isBound)).includes(true)
    ? [
      `Processes are bound to 1 of ${cores} cores each, which slows CPU adapters several times: with Open MPI, add --bind-to none`,
    ]
    : [];
  const ranks = Map.groupBy(names.keys(), (rank) => JSON.stringify([world.places[rank].host, names[rank]]));
  const shared = [...ranks].filter(([, ranks]) => ranks.length > 1).map(([key, ranks]) => {
    const [host, name] = JSON.parse(key);
    return `Ranks ${
      ranks.join(", ")
    } compute on ${name} of ${host}: one adapter, unless the launcher shows each its own`;
  });
  const kinds = [...new Set(names)];
  return kinds.length === 1 ? [...shared, ...bound] : [
    ...shared,
    ...bound,
    `Adapters differ (${kinds.join(", ")}): other numbers of processes give other bytes`,
  ];
}

/**
 * Tuned kernel choices in `variants.json` of the user's cache; a file that cannot be written is only not kept. Those of
 * one driver are not another's: the name of an adapter tells how wide its vectors are, but not whose it is.
 */
export function choiceStore(driver: string | undefined): ChoiceStore {
  const path = join(cacheFolder(), "variants.json");
  const prefix = `${manifest.version} deno ${Deno.version.deno} | ${driver ? `${driver} | ` : ""}`;
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
