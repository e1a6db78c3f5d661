import { UserError } from "../base/user_error.ts";

/**
 * All SIDs of a catalogue as a prefix tree in compressed rows, ready to be copied to the GPU.
 *
 * Nodes are numbered breadth first from the root, node 0, with the children of a node sorted by token. So a level
 * is one contiguous range of nodes, and the child behind edge `e` is node `e + 1`.
 */
export class Trie {
  /** Nodes, the root included. */
  readonly nodeCount: number;
  /** Different SIDs, one a leaf. */
  readonly leafCount: number;
  /** Length of the longest SID in tokens. */
  readonly maxDepth: number;
  /** Most children that any node has. */
  readonly maxFanOut: number;
  /** (nodeCount + 1): edges of node `n` are `childOffsets[n]` up to, not including, `childOffsets[n + 1]`. */
  readonly childOffsets: Uint32Array;
  /** (nodeCount - 1): token id of an edge, ascending inside a node. */
  readonly childTokens: Uint32Array;
  /** (nodeCount - 1): node that an edge leads to. */
  readonly childNodes: Uint32Array;
  /** (nodeCount): tokens on the way from the root. */
  readonly depths: Uint32Array;
  /** (maxDepth + 2): nodes of depth `d` are `levelOffsets[d]` up to, not including, `levelOffsets[d + 1]`. */
  readonly levelOffsets: Uint32Array;
  /** (nodeCount + 1): items of leaf `n` are `items[itemOffsets[n]]` up to, not including, `itemOffsets[n + 1]`. */
  readonly itemOffsets: Uint32Array;
  /** Item numbers leaf by leaf, ascending inside a leaf. */
  readonly items: Uint32Array;

  /** Use {@link buildTrie}. */
  constructor(
    childOffsets: Uint32Array,
    childTokens: Uint32Array,
    depths: Uint32Array,
    itemOffsets: Uint32Array,
    items: Uint32Array,
  ) {
    this.nodeCount = depths.length;
    this.childOffsets = childOffsets;
    this.childTokens = childTokens;
    this.childNodes = new Uint32Array(childTokens.length);
    for (let edge = 0; edge < childTokens.length; edge++) this.childNodes[edge] = edge + 1;
    this.depths = depths;
    this.itemOffsets = itemOffsets;
    this.items = items;
    this.maxDepth = depths[depths.length - 1];
    this.levelOffsets = new Uint32Array(this.maxDepth + 2);
    for (const depth of depths) this.levelOffsets[depth + 1]++;
    for (let d = 0; d <= this.maxDepth; d++) this.levelOffsets[d + 1] += this.levelOffsets[d];
    this.leafCount = 0;
    this.maxFanOut = 0;
    for (let node = 0; node < this.nodeCount; node++) {
      const fanOut = childOffsets[node + 1] - childOffsets[node];
      if (fanOut === 0) this.leafCount++;
      if (fanOut > this.maxFanOut) this.maxFanOut = fanOut;
    }
  }

  /** Whether a SID ends at this node. */
  isLeaf(node: number): boolean {
    return this.childOffsets[node] === this.childOffsets[node + 1];
  }

  /** Item numbers that share the SID ending at this node, ascending; empty for an inner node. A view, not a copy. */
  itemsOf(node: number): Uint32Array {
    return this.items.subarray(this.itemOffsets[node], this.itemOffsets[node + 1]);
  }

  /** An item whose SID goes through this node. */
  firstItemBelow(node: number): number {
    let leaf = node;
    while (!this.isLeaf(leaf)) leaf = this.childNodes[this.childOffsets[leaf]];
    return this.itemsOf(leaf)[0];
  }

  /** Token ids allowed after this node, ascending; empty for a leaf. A view, not a copy. */
  tokensAfter(node: number): Uint32Array {
    return this.childTokens.subarray(this.childOffsets[node], this.childOffsets[node + 1]);
  }

  /** Node reached from `start` by these token ids, or undefined where the catalogue has no such prefix. */
  walk(tokens: ArrayLike<number>, start = 0): number | undefined {
    let node = start;
    for (let i = 0; i < tokens.length; i++) {
      let low = this.childOffsets[node];
      let high = this.childOffsets[node + 1];
      const end = high;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (this.childTokens[middle] < tokens[i]) low = middle + 1;
        else high = middle;
      }
      if (low === end || this.childTokens[low] !== tokens[i]) return undefined;
      node = this.childNodes[low];
    }
    return node;
  }
}

/**
 * Builds the trie of a catalogue. `sids[i]` are the token ids of item `i`; items may share a SID, and lengths may
 * differ. With `only`, different item numbers, it holds these items alone, under the numbers that they have.
 * @throws {UserError} if there is no item, a SID is empty, or one SID is the beginning of another (decoding could
 * not tell where the shorter one ends).
 */
export function buildTrie(sids: readonly ArrayLike<number>[], only?: readonly number[]): Trie {
  const given = Uint32Array.from(only ?? sids.keys()).sort();
  if (given.length === 0) throw new UserError("Cannot build a trie: no items. Pass at least one SID");
  const empty = given.find((item) => sids[item].length === 0);
  if (empty !== undefined) {
    throw new UserError(
      `Cannot build a trie: the SID of item ${empty} has no tokens. Give every item at least one`,
    );
  }
  const items = sortedBySid(sids, given);

  // A node is a range of the sorted items that agree in their first `depth` tokens.
  const count = prefixCount(sids, items);
  const [starts, ends, depths, itemCounts] = Array.from({ length: 4 }, () => new Uint32Array(count));
  const childOffsets = new Uint32Array(count + 1), childTokens = new Uint32Array(count - 1);
  let edges = 0;
  ends[0] = items.length;
  for (let node = 0; node < count; node++) {
    const depth = depths[node];
    let position = starts[node];
    const end = ends[node];
    const isLeaf = sids[items[position]].length === depth;
    if (isLeaf) {
      // Shorter SIDs sort first, so a longer one with the same beginning is the last of the range.
      const last = items[end - 1];
      if (sids[last].length > depth) throw prefixError(sids, items[position], last);
      position = end;
    }
    itemCounts[node] = isLeaf ? end - starts[node] : 0;
    while (position < end) {
      const token = sids[items[position]][depth];
      const start = position;
      while (position < end && sids[items[position]][depth] === token) position++;
      childTokens[edges++] = token;
      starts[edges] = start;
      ends[edges] = position;
      depths[edges] = depth + 1;
    }
    childOffsets[node + 1] = edges;
  }
  return new Trie(childOffsets, childTokens, depths, ...itemsByLeaf(starts, itemCounts, items));
}

/** Reorders items from lexicographic order to node order: with mixed lengths the two differ. */
function itemsByLeaf(
  starts: Uint32Array,
  counts: Uint32Array,
  sorted: Uint32Array,
): [Uint32Array, Uint32Array] {
  const offsets = new Uint32Array(counts.length + 1);
  const items = new Uint32Array(sorted.length);
  for (let node = 0; node < counts.length; node++) {
    items.set(sorted.subarray(starts[node], starts[node] + counts[node]), offsets[node]);
    offsets[node + 1] = offsets[node] + counts[node];
  }
  return [offsets, items];
}

/** Where digits of a key begin, and their values. */
const DIGITS = [0, 11, 22];
const DIGIT = 2 ** 11;

/** Items in the order of their SIDs, a beginning first; equal ones in the order given. By digits, the last token first. */
function sortedBySid(sids: readonly ArrayLike<number>[], items: Uint32Array): Uint32Array {
  const longest = items.reduce((most, item) => Math.max(most, sids[item].length), 0);
  const keys = new Uint32Array(items.length), starts = new Uint32Array(DIGIT + 1);
  let order = Uint32Array.from(items.keys()), next = new Uint32Array(items.length);
  for (let depth = longest - 1; depth >= 0; depth--) {
    // What has ended comes before any token.
    for (let i = 0; i < items.length; i++) {
      keys[i] = depth < sids[items[i]].length ? sids[items[i]][depth] + 1 : 0;
    }
    for (const shift of DIGITS) {
      starts.fill(0);
      for (const key of keys) starts[(key >>> shift) % DIGIT + 1]++;
      if (starts[1] === items.length) continue; // all alike
      for (let digit = 0; digit < DIGIT; digit++) starts[digit + 1] += starts[digit];
      for (const place of order) next[starts[(keys[place] >>> shift) % DIGIT]++] = place;
      [order, next] = [next, order];
    }
  }
  return order.map((place) => items[place]);
}

/** Different beginnings of SIDs that are sorted, the empty one among them. */
function prefixCount(sids: readonly ArrayLike<number>[], sorted: Uint32Array): number {
  let count = 1, before: ArrayLike<number> = [];
  for (const item of sorted) {
    const sid = sids[item];
    let common = 0;
    while (common < sid.length && common < before.length && sid[common] === before[common]) common++;
    count += sid.length - common;
    before = sid;
  }
  return count;
}

function prefixError(sids: readonly ArrayLike<number>[], short: number, long: number): UserError {
  const show = (item: number) => `item ${item} [${Array.from(sids[item]).join(", ")}]`;
  return new UserError(
    `Cannot build a trie: the SID of ${show(short)} is the beginning of the SID of ${show(long)}. ` +
      `No SID may begin another, use the extra-level policy for all items of a colliding group`,
  );
}
