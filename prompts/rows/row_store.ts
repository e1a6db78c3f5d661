/** Token sequences one after another in one array that grows: some hundred thousand rows without an object each. */
export class RowStore {
  #tokens = new Uint32Array(1 << 16);
  #offsets: number[] = [0];

  /** Number of rows. */
  get count(): number {
    return this.#offsets.length - 1;
  }

  /** Tokens of all rows. */
  get length(): number {
    return this.#offsets[this.count];
  }

  /** Appends a row made of parts. */
  add(...parts: Uint32Array[]): void {
    let at = this.length;
    const end = parts.reduce((sum, part) => sum + part.length, at);
    if (end > this.#tokens.length) {
      const grown = new Uint32Array(Math.max(end, 2 * this.#tokens.length));
      grown.set(this.#tokens.subarray(0, at));
      this.#tokens = grown;
    }
    for (const part of parts) {
      this.#tokens.set(part, at);
      at += part.length;
    }
    this.#offsets.push(end);
  }

  /** Tokens of a row. A view, not a copy. */
  row(i: number): Uint32Array {
    return this.#tokens.subarray(this.#offsets[i], this.#offsets[i + 1]);
  }
}
