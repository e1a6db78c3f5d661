import type { Device } from "../kernels/gpu/device.ts";
import { DEAD } from "../kernels/trie/search/topk.ts";
import type { DecodeModel } from "../models/decoder/decode.ts";
import type { Trie } from "../sid/trie.ts";
import type { DeviceTrie } from "./device_trie.ts";
import { appendedTokens, cutOf, mostBeams } from "./trie_decoding.ts";

/** Codewords that a search wrote for one prompt, one a level, best first. */
export interface WrittenCodes {
  /** A list a beam. */
  codes: number[][];
  /** Log-probabilities, descending. */
  scores: number[];
}

interface Beam {
  codes: number[];
  /** Node of the trie; undefined off the catalogue. */
  node: number | undefined;
  score: number;
  /** Its place among the beams of the step before. */
  parent: number;
}

/**
 * Beam search over all codewords of each level, whether or not there are such items: how TIGER and ETEGRec were
 * evaluated, and a measure of what a model has learned of the catalogue. A SID ends where the catalogue says; codes that
 * begin no SID end as long as the shortest one. For models with a table for each level; chooses on the host.
 */
export class ProductSearch {
  /** Beams a prompt. */
  readonly beams: number;
  /** Most prompts to pass to {@link run} at once. */
  readonly promptsPerBatch: number;
  readonly #device: Device;
  readonly #model: DecodeModel;
  readonly #trie: DeviceTrie;
  readonly #starts: number[];
  readonly #shortest: number;

  /** `sizes` are the codewords of each level; token ids are as those of `CodeTokens`. */
  constructor(
    device: Device,
    model: DecodeModel,
    trie: DeviceTrie,
    { beams, sizes }: { beams: number; sizes: readonly number[] },
  ) {
    this.#device = device;
    this.#model = model;
    this.#trie = trie;
    this.#starts = [1];
    for (const size of sizes) this.#starts.push(this.#starts.at(-1)! + size);
    this.#shortest = shortestSid(trie.host);
    this.beams = beams;
    this.promptsPerBatch = Math.max(
      1,
      Math.floor(mostBeams(device, model, trie, Math.max(...sizes)) / beams),
    );
  }

  /** The best codes for each prompt of token ids. */
  async run(prompts: Uint32Array[]): Promise<WrittenCodes[]> {
    if (prompts.length === 0) return [];
    const cut = cutOf(this.#model, prompts);
    if (cut) return [...await this.run(prompts.slice(0, cut)), ...await this.run(prompts.slice(cut))];
    const device = this.#device;
    const { beams } = this;
    const rows = prompts.length * beams;
    const [tokens, parents] = [device.createFlat("u32", rows), device.createFlat("u32", rows)];
    const session = this.#model.start(prompts, beams, appendedTokens(this.#trie));
    let running: Beam[][] = prompts.map(() => [{ codes: [], node: 0, score: 0, parent: 0 }]);
    const finished: Beam[][] = prompts.map(() => []);
    try {
      for (let level = 0; running.some((beams) => beams.length > 0); level++) {
        if (level > 0) {
          device.write(tokens, this.#tokens(running, level - 1));
          device.write(parents, Uint32Array.from(running.flatMap((own) => padded(own, beams, 0, parentOf))));
        }
        const { logits, columns } = await this.#logits(
          () => level === 0 ? session.hidden : session.step(tokens, parents),
        );
        const width = level === 0 ? 1 : beams;
        running = running.map((own, prompt) => {
          const next = this.#extend(own, (beam) => {
            const row = prompt * width + beam;
            return logProbs(logits.subarray(row * columns, (row + 1) * columns));
          });
          finished[prompt] = best([...finished[prompt], ...next.ended]).slice(0, beams);
          return next.running;
        });
      }
    } finally {
      session.close();
      [tokens, parents].forEach((flat) => device.destroy(flat));
    }
    return finished.map((own) => ({
      codes: own.map(({ codes }) => codes),
      scores: own.map(({ score }) => score),
    }));
  }

  /** Logits (R, K) of the level that hidden states predict. */
  async #logits(hidden: () => Parameters<DecodeModel["logitParts"]>[0]) {
    return await this.#device.scope(async () => {
      const parts = [];
      for (const part of this.#model.logitParts(hidden())) parts.push(part);
      if (parts.length !== 1) {
        throw new RangeError(`Logits come in ${parts.length} parts: expected a level's`);
      }
      const [logits] = await this.#device.read(parts[0]);
      return { logits, columns: parts[0].cols };
    });
  }

  /** The best continuations of beams, as many as are kept of those that end and of those that go on. */
  #extend(own: readonly Beam[], logProbsOf: (beam: number) => Float64Array) {
    const candidates: { parent: number; codeword: number; score: number }[] = [];
    own.forEach(({ score }, parent) =>
      logProbsOf(parent).forEach((logProb, codeword) =>
        candidates.push({ parent, codeword, score: score + logProb })
      )
    );
    const next = { ended: [] as Beam[], running: [] as Beam[] };
    for (const { parent, codeword, score } of best(candidates)) {
      const { codes, node } = own[parent];
      const token = this.#starts[codes.length] + codeword;
      const reached = node === undefined ? undefined : this.#trie.host.walk([token], node);
      const beam = { codes: [...codes, codeword], node: reached, score, parent };
      const list = this.#ends(beam) ? next.ended : next.running;
      if (list.length < this.beams) list.push(beam);
      else if (next.ended.length === next.running.length) break;
    }
    return next;
  }

  #ends({ codes, node }: Beam): boolean {
    return node === undefined ? codes.length >= this.#shortest : this.#trie.host.isLeaf(node);
  }

  #tokens(running: readonly Beam[][], level: number): Uint32Array {
    const tokenOf = ({ codes }: Beam) => this.#starts[level] + codes[level];
    return Uint32Array.from(running.flatMap((own) => padded(own, this.beams, DEAD, tokenOf)));
  }
}

const parentOf = ({ parent }: Beam) => parent;

/** A number a beam, `rest` for beams that are not. */
function padded(
  own: readonly Beam[],
  beams: number,
  rest: number,
  numberOf: (beam: Beam) => number,
): number[] {
  return Array.from({ length: beams }, (_, beam) => beam < own.length ? numberOf(own[beam]) : rest);
}

/** Highest score first; equal ones in their order. */
function best<T extends { score: number }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => b.score - a.score);
}

function logProbs(logits: Float32Array): Float64Array {
  const most = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const sum = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  return Float64Array.from(logits, (logit) => logit - most - Math.log(sum));
}

/** Tokens of the shortest SID. */
function shortestSid(trie: Trie): number {
  let shortest = trie.maxDepth;
  for (let node = 0; node < trie.nodeCount; node++) {
    if (trie.isLeaf(node)) shortest = Math.min(shortest, trie.depths[node]);
  }
  return shortest;
}
