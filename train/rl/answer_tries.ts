import type { RlExample, RlExamples } from "../../data/packing/rl_examples.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { buildTrie } from "../../sid/trie.ts";

/** Answers that exist of one kind: the SIDs, or the texts that a task is answered with. */
export interface AnswerKind {
  /** (N) what the model writes for each item; empty where an item has no such text. */
  itemTokens: readonly Uint32Array[];
  /** The tree of these answers alone, which a rollout searches. */
  trie: DeviceTrie;
  /** Where that tree begins in {@link AnswerTries.all}. */
  root: number;
}

/**
 * The trees of all answers of a training. Where there are SIDs alone, it is their tree; with texts, each kind of answer
 * has a tree of its own to be searched, and one more holds all of them, so that an update reads a single one.
 */
export class AnswerTries {
  /** SIDs first, then the kinds of {@link RlExamples.texts}. */
  readonly kinds: readonly AnswerKind[];
  /** Every answer, below the root of its kind. */
  readonly all: DeviceTrie;
  /** Tokens of the longest answer. */
  readonly longest: number;
  #made: DeviceTrie[] = [];

  /** `sids` stays the caller's. Throws `UserError` where one text begins another. */
  constructor(
    device: Device,
    sids: { trie: DeviceTrie; itemTokens: readonly Uint32Array[] },
    texts: RlExamples["texts"] = [],
  ) {
    const kinds = [
      sids,
      ...texts.map((itemTokens) => ({ itemTokens, trie: this.#make(device, itemTokens) })),
    ];
    this.longest = Math.max(...kinds.map(({ trie }) => trie.host.maxDepth));
    if (texts.length === 0) {
      this.all = sids.trie;
      this.kinds = [{ ...sids, root: 0 }];
      return;
    }
    // A first token tells the kinds apart. Nothing chooses it, so any will do that lies among the others.
    const first = [...new Set(kinds.flatMap(({ trie }) => [...trie.host.childTokens]))].slice(
      0,
      kinds.length,
    );
    this.all = this.#make(
      device,
      kinds.flatMap(({ itemTokens }, kind) =>
        itemTokens.map((tokens) => tokens.length === 0 ? tokens : Uint32Array.of(first[kind], ...tokens))
      ),
    );
    this.kinds = kinds.map((kind, i) => ({ ...kind, root: this.all.host.walk([first[i]])! }));
  }

  /** The kind that an example is answered with. */
  of({ text }: Pick<RlExample, "text">): AnswerKind {
    return this.kinds[text === undefined ? 0 : 1 + text];
  }

  /** Frees the trees that it made. */
  destroy(): void {
    for (const trie of this.#made) trie.destroy();
  }

  #make(device: Device, itemTokens: readonly Uint32Array[]): DeviceTrie {
    const answered = [...itemTokens.keys()].filter((item) => itemTokens[item].length > 0);
    const trie = new DeviceTrie(device, buildTrie(itemTokens, answered));
    this.#made.push(trie);
    return trie;
  }
}
