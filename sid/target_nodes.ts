import type { Trie } from "./trie.ts";

/** Where no node is: the target is no token of a SID that the trie has. */
export const NO_NODE = 0xffffffff;

/**
 * Trie node before each of the target tokens of a batch, u32 (R), for a trie-aware loss. A SID is followed from the root
 * through targets that come one after the other; a token that does not go on from there starts over or has
 * {@link NO_NODE}, as text and the end of a text have.
 */
export function targetNodes(trie: Trie, targets: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  let node = 0;
  return Uint32Array.from(targets, (token) => {
    for (const before of node === 0 ? [0] : [node, 0]) {
      const after = trie.walk([token], before);
      if (after === undefined) continue;
      node = trie.isLeaf(after) ? 0 : after;
      return before;
    }
    node = 0;
    return NO_NODE;
  });
}
