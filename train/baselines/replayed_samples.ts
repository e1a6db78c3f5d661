import type { AppendedFile } from "../../data/kept/appended.ts";
import type { CountedSample } from "../../eval/transition_counts.ts";

/** Numbers that are written or read at a time. */
const BLOCK = 2 ** 18;

/**
 * Samples that are gone through several times: the first time from where they come, then, several times as fast as Parquet
 * is decoded, from a file. It has 4 bytes a number, two numbers a sample and one an item of its history. Users are those of
 * the first way alone, and 0 afterwards.
 */
export class ReplayedSamples {
  readonly #file: AppendedFile;
  #numbers = new Int32Array(BLOCK);
  /** Numbers that are not in the file yet. */
  #length = 0;

  /** Whose samples so far are in `file`. */
  constructor(file: AppendedFile) {
    this.#file = file;
  }

  /** Adds samples. Throws `UserError` where the file cannot be written. */
  async add(samples: readonly CountedSample[]): Promise<void> {
    for (const { history, target } of samples) {
      const size = 2 + history.length;
      if (this.#length + size > this.#numbers.length) {
        await this.flush();
        if (size > this.#numbers.length) this.#numbers = new Int32Array(2 * size);
      }
      const numbers = this.#numbers;
      numbers[this.#length++] = history.length;
      numbers[this.#length++] = target;
      for (let i = 0; i < history.length; i++) numbers[this.#length++] = history[i];
    }
  }

  /** All that was added is in the file. */
  async flush(): Promise<void> {
    await this.#file.append(new Uint8Array(this.#numbers.buffer, 0, 4 * this.#length));
    this.#length = 0;
  }

  /** One way through all that was added and flushed; nothing is added after it. */
  async *samples(): AsyncGenerator<readonly CountedSample[]> {
    const read = await this.#file.reader();
    let numbers = this.#numbers, bytes = 0;
    for (;;) {
      const count = await read(new Uint8Array(numbers.buffer, bytes));
      if (count === null) break;
      bytes += count;
      const known = Math.floor(bytes / 4);
      const part: CountedSample[] = [];
      let at = 0;
      while (at < known && at + 2 + numbers[at] <= known) {
        const history = new Array<number>(numbers[at++]);
        const target = numbers[at++];
        for (let i = 0; i < history.length; i++) history[i] = numbers[at++];
        part.push({ user: 0, history, target });
      }
      // The beginning of a sample whose end is still to be read.
      const size = at < known ? 2 + numbers[at] : 0;
      const rest = new Uint8Array(numbers.buffer, 4 * at, bytes - 4 * at);
      if (size > numbers.length) numbers = new Int32Array(2 * size);
      new Uint8Array(numbers.buffer).set(rest);
      bytes = rest.length;
      yield part;
    }
    if (bytes > 0) throw new Error("The file of samples ends within one");
  }
}
