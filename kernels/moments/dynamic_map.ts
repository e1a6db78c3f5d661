/** Bits beside the sign of a code, and decades that they may stand for. */
const BITS = 7;

/**
 * The 256 numbers that codes of 8 bits stand for, ascending: the dynamic data type of Dettmers (2016, arXiv:1511.04561) as
 * `create_dynamic_map()` of bitsandbytes makes it. Seven decades up to 1, the higher ones in more steps. `signed` holds
 * numbers of both signs, down to -.993, else 0 to 1.
 */
export function dynamicMap(signed: boolean): Float32Array<ArrayBuffer> {
  const found = [0, 1];
  for (let decade = 0; decade < BITS; decade++) {
    const steps = 2 ** (signed ? decade : decade + 1);
    // In single precision, as torch.linspace() and the means of its neighbours.
    const width = Math.fround(Math.fround(0.9) / steps);
    const boundary = (i: number) =>
      i < (steps + 1) / 2 ? Math.fround(Math.fround(0.1) + width * i) : Math.fround(1 - width * (steps - i));
    for (let i = 0; i < steps; i++) {
      const mean = Math.fround(Math.fround(boundary(i) + boundary(i + 1)) / 2);
      const value = Math.fround(Math.fround(10 ** (decade - BITS + 1)) * mean);
      found.push(value);
      if (signed) found.push(-value);
    }
  }
  return Float32Array.from(found).sort();
}
