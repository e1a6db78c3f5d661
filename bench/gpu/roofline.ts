import type { PeakRates } from "./peaks.ts";

/** What numbers a kernel computes in. */
export type Arithmetic = "f32" | "f16";

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

/** Rates of an adapter that a roofline is made of. */
export type RooflinePeaks = Pick<PeakRates, Arithmetic | "bandwidth">;

/**
 * The roofline (Williams, Waterman, Patterson 2009): work takes as long as its arithmetic at the peak or its bytes at the
 * bandwidth, whichever is longer. A measured time below it refutes the table of peaks or the count, one far above it
 * tells what is left to win. Undefined where the peak of this arithmetic is not known.
 */
export function rooflineTime(
  { flops, bytes }: KernelWork,
  { bandwidth, ...peaks }: RooflinePeaks,
  arithmetic: Arithmetic = "f32",
): RooflineTime | undefined {
  const peak = peaks[arithmetic];
  if (peak === undefined) return undefined;
  const computing = flops / peak;
  const moving = bytes / bandwidth;
  return computing >= moving
    ? { seconds: computing, bound: "arithmetic" }
    : { seconds: moving, bound: "memory" };
}
