import { NO_ACTION } from "../../../data/packing/group_batches.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import type { Tape } from "../../../kernels/tape.ts";
import type { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import { FlatSections } from "../../../models/parameters/flat_sections.ts";
import type { ActionValues } from "../../../models/packing/packed_groups.ts";
import { PackedPairsBuffer } from "../../../models/packing/packed_pairs.ts";
import {
  actionLogProbs,
  type Actions,
  type PolicyOptions,
  type PolicyScratch,
} from "../../../models/losses/policy_gradient.ts";
import {
  actionValues,
  type PackedAnswers,
  type PolicyBatch,
  type PolicyDropout,
  type PolicyGroup,
  type PolicyPacking,
} from "./batch.ts";

/**
 * Groups of an encoder-decoder as packed pairs: the encoder reads a prompt once, the decoder every completion by itself,
 * with a row for each of its tokens, so that a prefix that completions share counts as often in the entropy. The tokens
 * of a micro batch are those of the encoder; the decoder has as many, or those of one group where that needs more.
 */
export const pairPacking: PolicyPacking<EncoderDecoder> = {
  sizeOf({ prompt, completions }) {
    const actions = completions.reduce((sum, { length }) => sum + length, 0);
    return { tokens: prompt.length, rows: actions, actions, completions: completions.length };
  },
  capacityOf(depth, { tokensPerBatch: tokens, prompts, answers }) {
    const groups = Math.min(prompts, Math.max(1, Math.floor(tokens / (answers * depth))));
    return pairCapacity(tokens, groups * answers, depth);
  },
  partOf: ({ tokens, completions, depth }, share) =>
    pairCapacity(Math.ceil(tokens * share), Math.ceil(completions * share), depth),
  open: (model, { tokens: inputs, completions: pairs, depth }) =>
    new PairBatch(model, new PackedPairsBuffer(model.device, { inputs, pairs, depth }, model)),
};

function pairCapacity(tokens: number, completions: number, depth: number) {
  return { tokens, rows: completions * depth, actions: completions * depth, completions, depth };
}

/** A row has one action, and both have the number of the target's loss in `PackedPairs.rowLoss`. */
class PairBatch implements PolicyBatch<EncoderDecoder> {
  readonly capacity: PolicyBatch<EncoderDecoder>["capacity"];
  readonly flats: PolicyBatch<EncoderDecoder>["flats"];
  #device: Device;
  #buffer: PackedPairsBuffer;
  #sections: FlatSections<string>;
  /** Of each output matrix: its rows among all. */
  #heads: { start: number; rows: number }[];

  constructor({ device }: EncoderDecoder, buffer: PackedPairsBuffer) {
    const { capacity: { pairs, depth }, packed: { heads, rowLoss } } = buffer;
    const rows = rowLoss.length;
    this.#device = device;
    this.#buffer = buffer;
    this.#heads = heads.map((head, h) => ({ start: h * rows / heads.length, rows: head.rows.length }));
    this.#sections = new FlatSections<string>(device, {
      completions: pairs * depth,
      tokens: rows,
      nodes: rows,
      advantages: rows,
      weights: rows,
      supervised: rows,
      ...Object.fromEntries(this.#heads.map(({ rows }, h) => [`offsets.${h}`, rows + 1])),
    });
    const value = (name: keyof ActionValues) => this.#sections.asFloats(name);
    this.capacity = { rows, actions: rows, completions: pairs, depth };
    this.flats = {
      completions: this.#sections.flats.completions,
      advantages: value("advantages"),
      weights: value("weights"),
      supervised: value("supervised"),
    };
  }

  pack(groups: readonly PolicyGroup[]): PackedAnswers {
    const tokens = groups.flatMap(({ completions }) => completions.map(({ length }) => length));
    return {
      counts: { completions: tokens.length, rows: tokens.reduce((sum, length) => sum + length, 0) },
      upload: () => this.#upload(groups),
    };
  }

  logProbs(
    tape: Tape,
    model: EncoderDecoder,
    scratch: PolicyScratch,
    options: Pick<PolicyOptions, "normalisation" | "trie" | "tokens">,
    dropout?: PolicyDropout,
  ): void {
    const { packed } = this.#buffer;
    const encoded = model.encode(tape, packed.encoder, dropout);
    const states = model.decode(tape, packed, encoded, dropout);
    model.headRows(tape, packed, states).forEach((hidden, h) => {
      const { name, start: firstToken } = model.heads[h];
      const [actions, own] = [this.#actions(h), this.#scratch(scratch, h)];
      actionLogProbs(tape, model.parameters, hidden, name, actions, own, { ...options, firstToken });
    });
  }

  destroy(): void {
    this.#buffer.destroy();
    this.#sections.destroy();
  }

  #upload(groups: readonly PolicyGroup[]): void {
    const { rows, depth } = this.capacity;
    const pairs = groups.map(({ prompt, completions }) => ({
      input: prompt,
      completions: completions.map((targets) => ({ targets })),
    }));
    // The loss is that of the policy, so weights of the next item's mean nothing.
    const completions = this.#buffer.write(pairs, 0);
    const tokens = new Uint32Array(rows);
    const nodes = new Uint32Array(rows).fill(NO_ACTION);
    groups.flatMap((group) => group.completions.map((chosen, i) => ({ chosen, before: group.nodes[i] })))
      .forEach(({ chosen, before }, pair) =>
        chosen.forEach((token, place) => {
          const action = completions[pair * depth + place];
          tokens[action] = token;
          nodes[action] = before[place];
        })
      );
    const used = this.#heads.map(({ start, rows }) => {
      const none = nodes.subarray(start, start + rows).indexOf(NO_ACTION);
      return none < 0 ? rows : none;
    });
    const offsets = this.#heads.map(({ rows }, h) =>
      [`offsets.${h}`, Uint32Array.from({ length: rows + 1 }, (_, row) => Math.min(row, used[h]))] as const
    );
    const values = actionValues(groups, completions, { actions: rows, depth });
    this.#sections.write({ completions, tokens, nodes, ...values, ...Object.fromEntries(offsets) });
  }

  #actions(head: number): Actions {
    const { start, rows } = this.#heads[head];
    const { flats } = this.#sections;
    const part = (name: "tokens" | "nodes") => this.#device.slice(flats[name], start, rows);
    return { offsets: flats[`offsets.${head}`], tokens: part("tokens"), nodes: part("nodes") };
  }

  #scratch(scratch: PolicyScratch, head: number): PolicyScratch {
    const { start, rows } = this.#heads[head];
    const part = (name: keyof PolicyScratch, each = 1) =>
      this.#device.slice(scratch[name], each * start, each * rows);
    return {
      stats: part("stats", 4),
      logProbs: part("logProbs"),
      entropy: part("entropy"),
      coefficients: part("coefficients"),
      entropyCoefficients: part("entropyCoefficients"),
    };
  }
}
