import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import type { PackedPairsBuffer, PairGroup } from "../../models/packing/packed_pairs.ts";
import {
  createTrieLossScratch,
  destroyTrieLossScratch,
  trieAwareLoss,
  type TrieLossScratch,
} from "../../models/losses/trie_loss.ts";
import { NO_NODE, targetNodes } from "../../sid/target_nodes.ts";

/** What the loss of an output matrix reads beside its rows. */
interface HeadTargets {
  /** Node before each target. */
  nodes: Flat;
  /** Token ids of the targets; rows of heads count from the first token of the head. */
  tokens: Flat;
  scratch: TrieLossScratch;
}

/**
 * Cross-entropy of next items where a share is over the tokens that may follow in the catalogue: what the codewords of
 * rare items are need not be learned by heart before these items are found.
 */
export class PairTrieLoss {
  readonly #model: EncoderDecoder;
  readonly #buffer: PackedPairsBuffer;
  readonly #share: number;
  readonly #nodes: Flat;
  readonly #tokens: Flat;
  readonly #heads: HeadTargets[];

  /** Makes room for the pairs of `buffer`. `share` is from 0 to 1: see `TrieLossOptions`. */
  constructor(model: EncoderDecoder, buffer: PackedPairsBuffer, share: number) {
    const { device } = model;
    const { heads, rowLoss } = buffer.packed;
    this.#model = model;
    this.#buffer = buffer;
    this.#share = share;
    this.#nodes = device.createFlat("u32", rowLoss.length);
    this.#tokens = device.createFlat("u32", rowLoss.length);
    const stride = rowLoss.length / heads.length;
    this.#heads = heads.map(({ rows: { length } }, h) => ({
      nodes: device.slice(this.#nodes, h * stride, length),
      tokens: device.slice(this.#tokens, h * stride, length),
      scratch: createTrieLossScratch(device, length),
    }));
  }

  /** Uploads where in the trie the targets are; `places` are what `PackedPairsBuffer.write()` gave for the same groups. */
  write(trie: DeviceTrie, groups: readonly PairGroup[], places: Uint32Array): void {
    const { device } = this.#model;
    const { depth } = this.#buffer.capacity;
    const nodes = new Uint32Array(this.#nodes.length).fill(NO_NODE);
    const tokens = new Uint32Array(this.#tokens.length);
    groups.flatMap(({ completions }) => completions).forEach(({ targets }, pair) => {
      const before = targetNodes(trie.host, targets);
      targets.forEach((token, at) => {
        const place = places[pair * depth + at];
        nodes[place] = before[at];
        tokens[place] = token;
      });
    });
    device.write(this.#nodes, nodes);
    device.write(this.#tokens, tokens);
  }

  /** As `EncoderDecoder.loss()`. */
  loss(tape: Tape, trie: DeviceTrie, states: Matrix, labelSmoothing: number): void {
    const { packed } = this.#buffer;
    const { heads, parameters } = this.#model;
    this.#model.headRows(tape, packed, states).forEach((hidden, h) => {
      const { name, start, rows } = heads[h];
      const { nodes, tokens, scratch } = this.#heads[h];
      trieAwareLoss(tape, parameters, hidden, name, packed.heads[h].loss, {
        labelSmoothing,
        trie: {
          trie,
          nodes,
          targets: tokens,
          firstToken: start,
          tokens: { start, end: start + rows },
          share: this.#share,
          sidsOnly: true,
          scratch,
        },
      });
    });
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#model;
    for (const { scratch } of this.#heads) destroyTrieLossScratch(device, scratch);
    for (const flat of [this.#nodes, this.#tokens]) device.destroy(flat);
  }
}
