/** Texts of one block, one behind the other. */
interface Block {
  texts: string;
  /** Where each ends. */
  ends: Uint32Array;
}

/** Texts of a block. */
const BLOCK = 4096;

/**
 * Texts that are held, to be looked up in any order: millions of strings of their own would take several times their
 * characters.
 */
export class TextColumn {
  readonly #blocks: Block[] = [];
  #length = 0;

  /** The text of each row of a table. */
  static async of<T>(
    parts: AsyncIterable<readonly T[]>,
    textOf: (row: T) => string,
  ): Promise<TextColumn> {
    const column = new TextColumn();
    let held: string[] = [];
    for await (const part of parts) {
      for (const row of part) {
        if (held.push(textOf(row)) < BLOCK) continue;
        column.#add(held);
        held = [];
      }
    }
    column.#add(held);
    return column;
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** The text of a row, from 0. */
  at(row: number): string {
    const { texts, ends } = this.#blocks[Math.floor(row / BLOCK)], place = row % BLOCK;
    return texts.slice(place === 0 ? 0 : ends[place - 1], ends[place]);
  }

  /** All of them in order. */
  *[Symbol.iterator](): Generator<string> {
    for (let row = 0; row < this.#length; row++) yield this.at(row);
  }

  #add(texts: readonly string[]): void {
    let end = 0;
    this.#blocks.push({
      texts: texts.join(""),
      ends: Uint32Array.from(texts, ({ length }) => end += length),
    });
    this.#length += texts.length;
  }
}
