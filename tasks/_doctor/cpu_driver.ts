import { readFileSync } from "node:fs";

/** The driver of the CPU adapter that this process has loaded. */
export interface CpuDriver {
  /** Such as "Mesa 22.3.6". */
  version: string;
  /** Its library. */
  path: string;
}

/**
 * What another version of Mesa would change, as measured with 22.3 and 25.0 (docs/performance.md). Of others nothing is
 * known.
 */
export function otherDriver({ version }: CpuDriver): string | undefined {
  const major = Number(/^Mesa (\d+)/.exec(version)?.[1]);
  if (major === 22) {
    return "Mesa 25 takes as long for products, up to 1.9 times as long for gradients of weights";
  }
  if (major === 25) {
    return "Mesa 22 takes half as long for gradients of weights, as --variant matmul=tiles-block does here";
  }
  return undefined;
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
