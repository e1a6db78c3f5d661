import type { Device } from "../kernels/gpu/device.ts";
import type { Flat } from "../kernels/gpu/tensor.ts";
import type { TrieEdges } from "../kernels/trie/log_softmax.ts";
import type { Trie } from "../sid/trie.ts";

/** A catalogue's trie copied to the device, where it stays until {@link DeviceTrie.destroy}. */
export class DeviceTrie implements TrieEdges {
  /** The trie on the host. */
  readonly host: Trie;
  /** u32 (2 nodeCount): see {@link TrieEdges}. */
  readonly edges: Flat;
  /** Nodes, the root included. */
  readonly nodeCount: number;
  /** (maxDepth): most children that a node of each level has, the root's level first. */
  readonly fanOuts: readonly number[];
  /** Smallest token id. */
  readonly minToken: number;
  /** Largest token id. */
  readonly maxToken: number;
  #device: Device;

  /** Uploads `trie`: 8 bytes a node. */
  constructor(device: Device, trie: Trie) {
    const { nodeCount, childOffsets, childTokens, levelOffsets, maxDepth } = trie;
    this.#device = device;
    this.host = trie;
    this.nodeCount = nodeCount;
    const edges = new Uint32Array(childOffsets.length + childTokens.length);
    edges.set(childOffsets);
    edges.set(childTokens, childOffsets.length);
    this.edges = device.createFlat("u32", edges);
    this.minToken = childTokens.reduce((least, token) => Math.min(least, token), Infinity);
    this.maxToken = childTokens.reduce((most, token) => Math.max(most, token), 0);
    this.fanOuts = Array.from({ length: maxDepth }, (_, level) => {
      let most = 0;
      for (let node = levelOffsets[level]; node < levelOffsets[level + 1]; node++) {
        most = Math.max(most, childOffsets[node + 1] - childOffsets[node]);
      }
      return most;
    });
  }

  /** Gives the memory back. */
  destroy(): void {
    this.#device.destroy(this.edges);
  }
}
