import { collidingGroups } from "./groups.ts";

/** Codewords of N items, one a level. */
export interface Codes {
  /** (rows, levels), row after row. */
  data: ArrayLike<number>;
  /** Items, N. */
  rows: number;
  /** Codebooks, L. */
  levels: number;
}

/** What the last level quantised, and with what. */
export interface LastLevel {
  /** (N, dim): what the levels before left over of each item. */
  residuals: Float32Array;
  /** (K, dim). */
  codebook: Float32Array;
  /** Width of both. */
  dim: number;
}

/** An item that got other codes than it came with. */
export interface CodeChange {
  /** Its row. */
  item: number;
  /** Codes before, one a level. */
  from: number[];
  /** Codes after. */
  to: number[];
}

/** Codes after a policy was applied. */
export interface ResolvedCodes {
  /** Codes of every item; lengths may differ. */
  sids: number[][];
  /** Items whose codes changed, ascending. */
  changed: CodeChange[];
  /** Groups of items that share a SID all the same, each ascending, in the order of their first items. */
  shared: number[][];
}

/** What to do with items whose codes are equal: one module and one line in `registry.ts`. */
export interface CollisionPolicy {
  /** Name on the command line. */
  readonly name: string;
  /** Whose residuals it reads: of all items, or of those alone that share their codes as they come. Absent: none. */
  readonly readsResiduals?: "all" | "colliding";
  /**
   * Items with different codes before the last level know nothing of each other, so that a catalogue may be resolved in
   * parts of whole beginnings. Throws `UserError` if residuals or codebook do not fit the codes, where it reads them. */
  resolve(codes: Codes, lastLevel: LastLevel): ResolvedCodes;
}

/** Codes of each item as an array of its own. */
export function codesByItem({ data, rows, levels }: Codes): number[][] {
  return Array.from(
    { length: rows },
    (_, row) => Array.from({ length: levels }, (_, level) => data[row * levels + level]),
  );
}

/** What a policy made of `codes`: the new SIDs, what changed and what is still shared. */
export function resolvedCodes(codes: Codes, sids: number[][]): ResolvedCodes {
  const changed: CodeChange[] = [];
  codesByItem(codes).forEach((from, item) => {
    const to = sids[item];
    if (to.length !== from.length || to.some((codeword, level) => codeword !== from[level])) {
      changed.push({ item, from, to: [...to] });
    }
  });
  return { sids, changed, shared: collidingGroups(sids) };
}
