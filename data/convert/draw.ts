import type { PhiloxStream } from "../../base/philox.ts";

/** `most` of a list, drawn without replacement and kept in order; all of it where it has no more, or `most` is 0. */
export function drawInOrder<T>(list: readonly T[], most: number, random: PhiloxStream): T[] {
  if (most === 0 || list.length <= most) return [...list];
  const places = Uint32Array.from(list, (_, i) => i);
  for (let i = 0; i < most; i++) {
    const other = i + random.below(list.length - i);
    [places[i], places[other]] = [places[other], places[i]];
  }
  return Array.from(places.subarray(0, most).sort(), (place) => list[place]);
}
