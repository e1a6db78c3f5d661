import type { PeakRates } from "./peaks.ts";

/** What a kernel has to do, whatever its variant. */
export interface KernelWork {
  /** Additions and multiplications. */
  flops: number;
  /** Bytes of operands and results, each moved once. */
  bytes: number;
}

/** A time, and what sets it. */
export interface RooflineTime {
  /** The least that the adapter needs. */
  seconds: number;
  /** Which of its rates that is. */
  bound: "arithmetic" | "memory";
}

/**
 * The roofline (Williams, Waterman, Patterson 2009): work takes as long as its arithmetic at the peak or its bytes at the
 * bandwidth, whichever is longer. A measured time below it refutes the table of peaks or the count, one far above it
 * tells what is left to win.
 */
export function rooflineTime(
  { flops, bytes }: KernelWork,
  { f32, bandwidth }: Pick<PeakRates, "f32" | "bandwidth">,
): RooflineTime {
  const arithmetic = flops / f32;
  const memory = bytes / bandwidth;
  return arithmetic >= memory
    ? { seconds: arithmetic, bound: "arithmetic" }
    : { seconds: memory, bound: "memory" };
}
