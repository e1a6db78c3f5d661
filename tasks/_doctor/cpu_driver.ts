import { readFileSync } from "node:fs";

/** The driver of the CPU adapter that this process has loaded. */
export interface CpuDriver {
  /** Such as "Mesa 22.3.6". */
  version: string;
  /** Its library. */
  path: string;
}

let found: CpuDriver | undefined;

/**
 * What runs kernels on the CPU, once an adapter has been asked for: WebGPU tells of the compiler alone, which is the same in
 * versions of Mesa that differ by a third in speed. Undefined on other systems and for other drivers.
 */
export function cpuDriver(): CpuDriver | undefined {
  return found ??= driverOf("/proc/self/maps");
}

/** {@link cpuDriver} of a process with these memory maps. */
export function driverOf(maps: string): CpuDriver | undefined {
  try {
    const path = /\s(\/\S*\/libvulkan_lvp\.so)$/m.exec(readFileSync(maps, "utf8"))?.[1];
    if (!path) return undefined;
    // Its own version stands in the library among its other texts.
    const version = /Mesa \d+\.\d+\.\d+/.exec(readFileSync(path, "latin1"))?.[0];
    return version === undefined ? undefined : { version, path };
  } catch {
    return undefined; // not Linux, or a library that was replaced while it runs
  }
}
