import type { TensorMap } from "../../models/parameters/parameters.ts";
import type { SidCodes } from "../method.ts";
import { codebookName } from "../kmeans/residuals.ts";

/**
 * How a new item came to its SID: it has the codes that it was coded with (`coded`), other ones since these were taken
 * (`moved`), one more code inside a group that has such (`extended`), or it shares the SID of others (`shared`).
 */
export type Placement = "coded" | "moved" | "extended" | "shared";

/** A new item's SID. */
export interface PlacedItem {
  /** Codewords from 0. */
  sid: number[];
  /** How it came to it. */
  how: Placement;
}

/**
 * Gives SIDs to new items beside those of a catalogue, which stay as they are; no SID becomes the beginning of another.
 * One after the other, so that items that are added together get what they would get if added in turn: its own codes if
 * they are free; else one more code if its group has extra codes; else the nearest free last codeword under its prefix;
 * else under the prefixes that differ in one code, the last levels and the nearest codewords first. An item shares its
 * codes where all of that is taken, or where `share` says that this catalogue's items do. `codebooks` are those
 * that the items were coded with.
 */
export function placeNewItems(
  catalogue: readonly (readonly number[])[],
  { codes, levels, lastLevel }: SidCodes,
  codebooks: TensorMap,
  share: boolean,
): PlacedItem[] {
  const taken = new TakenCodes(catalogue);
  return Array.from({ length: codes.length / levels }, (_, row) => {
    const own = [...codes.subarray(row * levels, (row + 1) * levels)];
    if (share) return { sid: own, how: "shared" };
    const { residuals, codebook, dim } = lastLevel;
    const residual = residuals.subarray(row * dim, (row + 1) * dim);
    const placed = place(own, taken, codebooks, () => nearestFirst(residual, codebook));
    taken.add(placed.sid);
    return placed;
  });
}

function place(
  own: readonly number[],
  taken: TakenCodes,
  codebooks: TensorMap,
  lastCodes: () => readonly number[],
): PlacedItem {
  if (taken.isFree(own)) return { sid: [...own], how: "coded" };
  const rank = taken.nextExtra(own);
  if (rank !== undefined) return { sid: [...own, rank], how: "extended" };
  const order = lastCodes();
  for (const prefix of prefixesNearby(own.slice(0, -1), codebooks)) {
    const last = order.find((code) => taken.isFree([...prefix, code]));
    if (last !== undefined) return { sid: [...prefix, last], how: "moved" };
  }
  return { sid: [...own], how: "shared" };
}

/** A prefix, then those that differ from it in one code, the last level first, near codewords first. */
function* prefixesNearby(prefix: readonly number[], codebooks: TensorMap): Generator<number[]> {
  yield [...prefix];
  for (let level = prefix.length - 1; level >= 0; level--) {
    const { data, shape: [, dim] } = codebooks.get(codebookName(level))!;
    const codeword = data.subarray(prefix[level] * dim, (prefix[level] + 1) * dim);
    for (const other of nearestFirst(codeword, data)) {
      if (other !== prefix[level]) yield prefix.with(level, other);
    }
  }
}

/** Codewords (K, D) by distance to a vector (D), equally far ones by number. */
function nearestFirst(vector: Float32Array, codebook: Float32Array): number[] {
  const dim = vector.length;
  const distances = Float64Array.from({ length: codebook.length / dim }, (_, codeword) => {
    let squares = 0;
    for (let d = 0; d < dim; d++) squares += (vector[d] - codebook[codeword * dim + d]) ** 2;
    return squares;
  });
  return [...distances.keys()].sort((a, b) => distances[a] - distances[b] || a - b);
}

/** Which codes stand behind which beginnings of SIDs. */
class TakenCodes {
  readonly #next = new Map<string, Set<number>>();

  constructor(sids: readonly (readonly number[])[]) {
    for (const sid of sids) this.add(sid);
  }

  add(sid: readonly number[]): void {
    sid.forEach((code, level) => {
      const key = sid.slice(0, level).join();
      const next = this.#next.get(key);
      if (next === undefined) this.#next.set(key, new Set([code]));
      else next.add(code);
    });
  }

  /** Whether no SID is or begins with these codes. */
  isFree(codes: readonly number[]): boolean {
    return !this.#next.get(codes.slice(0, -1).join())?.has(codes.at(-1)!);
  }

  /** The code after the extra codes behind these ones, undefined where there are none. */
  nextExtra(codes: readonly number[]): number | undefined {
    const extras = this.#next.get(codes.join());
    return extras && 1 + Math.max(...extras);
  }
}
