/** Reads rows `first` to `first + count - 1` of a table (V, C) -> (count, C). */
export type ReadRows = (first: number, count: number) => Promise<Float32Array>;

// Rows this close to each other are read at once: a few that are not needed cost less than another read.
const GAP = 16;

/**
 * Rows of a token embedding, read when a token first occurs. A corpus uses a small part of a vocabulary, so the table
 * as a whole, hundreds of megabytes in a language model, is never in memory.
 */
export class TokenTable {
  /** Numbers a row, C. */
  readonly dim: number;
  #read: ReadRows;
  #rows = new Map<number, Float32Array>();

  constructor(dim: number, read: ReadRows) {
    this.dim = dim;
    this.#read = read;
  }

  /** Rows that have been read so far. */
  get size(): number {
    return this.#rows.size;
  }

  /** Rows of `tokens` (T), the first `count` of them -> (T, C), the rest 0. */
  async lookUp(tokens: Uint32Array, count: number): Promise<Float32Array<ArrayBuffer>> {
    const used = tokens.subarray(0, count);
    await this.#fetch([...new Set(used)].filter((token) => !this.#rows.has(token)).sort((a, b) => a - b));
    const stream = new Float32Array(tokens.length * this.dim);
    used.forEach((token, at) => stream.set(this.#rows.get(token)!, at * this.dim));
    return stream;
  }

  /** Reads rows of ascending tokens. */
  async #fetch(tokens: number[]): Promise<void> {
    for (let at = 0; at < tokens.length;) {
      let next = at + 1;
      while (next < tokens.length && tokens[next] - tokens[next - 1] <= GAP) next++;
      const first = tokens[at];
      const data = await this.#read(first, tokens[next - 1] - first + 1);
      for (; at < next; at++) {
        const start = (tokens[at] - first) * this.dim;
        this.#rows.set(tokens[at], data.slice(start, start + this.dim));
      }
    }
  }
}
