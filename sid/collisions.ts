import { munkres } from "munkres";
import { UserError } from "../data/user_error.ts";

/**
 * What to do with items whose codes are equal: `keep` lets them share a SID, `extra-level` gives every member of a
 * colliding group one more code, `nearest-free` moves all members but the first to unused codewords of the last level.
 */
export const COLLISION_POLICIES = ["keep", "extra-level", "nearest-free"] as const;
/** One of {@link COLLISION_POLICIES}. */
export type CollisionPolicy = (typeof COLLISION_POLICIES)[number];

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
  /** The policy. */
  policy: CollisionPolicy;
  /** Codes of every item; lengths may differ. */
  sids: number[][];
  /** Items whose codes changed, ascending. */
  changed: CodeChange[];
  /** Groups of items that share a SID all the same, each ascending, in the order of their first items. */
  shared: number[][];
}

/** Lets colliding items share their SID. */
export function keepCollisions(codes: Codes): ResolvedCodes {
  return resolved("keep", codes, rowsOf(codes));
}

/**
 * Gives every member of a colliding group one more code, its rank inside the group in row order from 0; other items
 * keep their codes. So all SIDs differ and none is the beginning of another: the members of a group all have the
 * longer form.
 */
export function addExtraLevel(codes: Codes): ResolvedCodes {
  const sids = rowsOf(codes);
  for (const group of collidingGroups(sids)) group.forEach((item, rank) => sids[item].push(rank));
  return resolved("extra-level", codes, sids);
}

/**
 * Moves the members of a colliding group, all but the first, to codewords of the last level that no item with the
 * same prefix uses. The movers of one prefix are placed together so that the sum of squared distances between their
 * residuals and their new codewords is least. Where a prefix has more items than codewords, as many as fit are moved
 * and the others stay in `shared`.
 * @throws {UserError} if residuals or codebook do not fit the codes.
 */
export function moveToNearestFree(codes: Codes, lastLevel: LastLevel): ResolvedCodes {
  const codewords = checkLastLevel(codes, lastLevel);
  const sids = rowsOf(codes);
  const last = codes.levels - 1;
  const moversByPrefix = new Map<string, number[]>();
  for (const [, ...movers] of collidingGroups(sids)) {
    const prefix = sids[movers[0]].slice(0, last).join();
    moversByPrefix.set(prefix, [...moversByPrefix.get(prefix) ?? [], ...movers]);
  }
  const used = new Map<string, Set<number>>([...moversByPrefix.keys()].map((prefix) => [prefix, new Set()]));
  for (const sid of sids) used.get(sid.slice(0, last).join())?.add(sid[last]);
  for (const [prefix, movers] of moversByPrefix) {
    const taken = used.get(prefix)!;
    const free = Array.from({ length: codewords }, (_, codeword) => codeword).filter((k) => !taken.has(k));
    if (free.length === 0) continue;
    const costs = movers.map((item) => free.map((codeword) => squaredDistance(lastLevel, item, codeword)));
    for (const [mover, column] of munkres(costs)) sids[movers[mover]][last] = free[column];
  }
  return resolved("nearest-free", codes, sids);
}

/** Groups of at least two equal SIDs, each ascending, in the order of their first items. */
export function collidingGroups(sids: readonly ArrayLike<number | string>[]): number[][] {
  const groups = new Map<string, number[]>();
  sids.forEach((sid, item) => {
    const key = Array.from(sid).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  });
  return [...groups.values()].filter((group) => group.length > 1);
}

function resolved(policy: CollisionPolicy, codes: Codes, sids: number[][]): ResolvedCodes {
  const changed: CodeChange[] = [];
  rowsOf(codes).forEach((from, item) => {
    const to = sids[item];
    if (to.length !== from.length || to.some((codeword, level) => codeword !== from[level])) {
      changed.push({ item, from, to: [...to] });
    }
  });
  return { policy, sids, changed, shared: collidingGroups(sids) };
}

function rowsOf({ data, rows, levels }: Codes): number[][] {
  return Array.from(
    { length: rows },
    (_, row) => Array.from({ length: levels }, (_, level) => data[row * levels + level]),
  );
}

/** Returns the number of codewords. */
function checkLastLevel({ rows }: Codes, { residuals, codebook, dim }: LastLevel): number {
  const codewords = codebook.length / dim;
  if (residuals.length !== rows * dim || !Number.isInteger(codewords)) {
    throw new UserError(
      `Cannot move colliding items: residuals hold ${residuals.length} and the codebook ${codebook.length} numbers, ` +
        `expected (${rows}, ${dim}) = ${rows * dim} and a multiple of ${dim}. Pass those of the last level`,
    );
  }
  return codewords;
}

function squaredDistance({ residuals, codebook, dim }: LastLevel, item: number, codeword: number): number {
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += (residuals[item * dim + i] - codebook[codeword * dim + i]) ** 2;
  return sum;
}
