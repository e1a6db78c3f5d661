import type { CollisionPolicy } from "../collisions/policy.ts";

/** SIDs of a catalogue in one array. */
export interface SidTable {
  /** (N, width): codewords from 0, -1 behind the end of a shorter SID. */
  data: Int32Array;
  /** Levels of the longest SID. */
  width: number;
}

/** Codes as they came, and what tells items of equal ones apart. */
export interface CodedCatalogue {
  /** (N, L). */
  codes: Uint16Array;
  /** Levels, L. */
  levels: number;
  /** Codebook of the last level (K, D). */
  codebook: Float32Array;
  /** Numbers an item, D. */
  dim: number;
  /** What the levels before the last leave over of some items, ascending: (items, D). */
  residualsOf(items: Uint32Array): Promise<Float32Array>;
}

/** Items that are resolved at a time, more where more begin alike. */
const AT_A_TIME = 8192;

/** SIDs of a catalogue, of which some are known. */
export interface ResolvedPart {
  /** As {@link SidTable.data}. */
  data: Int32Array;
  /** How many are, in the order of codes. */
  done: number;
}

/**
 * Does what a policy does to a whole catalogue, in parts of whole beginnings, after each of which `onPart` is told of all so
 * far. It holds 4 bytes an item, and the result. It goes on behind those of `resolved`, which it takes over.
 */
export async function resolveInParts(
  policy: CollisionPolicy,
  { codes, levels, codebook, dim, residualsOf }: CodedCatalogue,
  onPart?: (part: ResolvedPart) => Promise<void>,
  resolved?: ResolvedPart,
): Promise<SidTable> {
  const rows = codes.length / levels, width = levels + 1;
  const data = resolved?.data ?? new Int32Array(rows * width).fill(-1);
  const order = sortedByCodes(codes, levels, levels - 1);
  const beginsLike = (a: number, b: number) => {
    for (let level = 0; level < levels - 1; level++) {
      if (codes[a * levels + level] !== codes[b * levels + level]) return false;
    }
    return true;
  };
  for (let start = resolved?.done ?? 0; start < rows;) {
    let end = Math.min(start + AT_A_TIME, rows);
    while (end < rows && beginsLike(order[end - 1], order[end])) end++;
    const items = order.slice(start, end).sort();
    const own = new Uint16Array(items.length * levels);
    items.forEach((item, i) => own.set(codes.subarray(item * levels, (item + 1) * levels), i * levels));
    const residuals = new Float32Array(items.length * dim);
    if (policy.readsResiduals) {
      const places = policy.readsResiduals === "all"
        ? items.map((_, place) => place)
        : collidingPlaces(own, levels);
      const read = await residualsOf(places.map((place) => items[place]));
      places.forEach((place, i) => residuals.set(read.subarray(i * dim, (i + 1) * dim), place * dim));
    }
    const { sids } = policy.resolve({ data: own, rows: items.length, levels }, { residuals, codebook, dim });
    for (const [i, sid] of sids.entries()) data.set(sid, items[i] * width);
    start = end;
    await onPart?.({ data, done: start });
  }
  return { data, width };
}

/** Places of rows (N, L) that are not alone with their codes, ascending. */
function collidingPlaces(codes: Uint16Array, levels: number): Uint32Array {
  const order = sortedByCodes(codes, levels, levels);
  const equal = (a: number, b: number) => {
    for (let level = 0; level < levels; level++) {
      if (codes[a * levels + level] !== codes[b * levels + level]) return false;
    }
    return true;
  };
  return order.filter((place, i) =>
    i > 0 && equal(order[i - 1], place) || i + 1 < order.length && equal(order[i + 1], place)
  ).sort();
}

/** Rows (N, width) in the order of their first `levels` codes, from -1; equal ones in the order of rows. By digits. */
export function sortedByCodes(
  codes: Uint16Array | Int32Array,
  width: number,
  levels: number,
): Uint32Array {
  const rows = codes.length / width;
  let order = Uint32Array.from({ length: rows }, (_, row) => row), next = new Uint32Array(rows);
  for (let level = levels - 1; level >= 0; level--) {
    let most = 0;
    for (let at = level; at < codes.length; at += width) if (codes[at] > most) most = codes[at];
    const starts = new Uint32Array(most + 3);
    for (let at = level; at < codes.length; at += width) starts[codes[at] + 2]++;
    for (let code = 0; code <= most + 1; code++) starts[code + 1] += starts[code];
    for (const row of order) next[starts[codes[row * width + level] + 1]++] = row;
    [order, next] = [next, order];
  }
  return order;
}
