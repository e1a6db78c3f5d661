import type { PhiloxStream } from "../../base/philox.ts";

/** By row of a table: 1 for `most` of its rows, drawn without replacement; for all where it has no more, or `most` is 0. */
export function drawRows(rows: number, most: number, random: PhiloxStream): Uint8Array {
  const isDrawn = new Uint8Array(rows);
  if (most === 0 || rows <= most) return isDrawn.fill(1);
  const places = Uint32Array.from(isDrawn, (_, row) => row);
  for (let i = 0; i < most; i++) {
    const other = i + random.below(rows - i);
    [places[i], places[other]] = [places[other], places[i]];
    isDrawn[places[i]] = 1;
  }
  return isDrawn;
}
