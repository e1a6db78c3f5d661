import { attempt } from "../../base/files/write_atomic.ts";
import type { CountedSample } from "../../eval/transition_counts.ts";

/** Numbers that are written or read at a time. */
const BLOCK = 2 ** 18;

/**
 * Samples that are gone through several times: the first time from where they come, then, several times as fast as Parquet
 * is decoded, from a file in the system's folder of temporary files. It has 4 bytes a number, two numbers a sample and one
 * an item of its history, and ends with the process. Users are those of the first way alone, and 0 afterwards.
 */
export class ReplayedSamples implements Disposable {
  readonly #source: () => AsyncIterable<readonly CountedSample[]>;
  #path = "";
  #file: Deno.FsFile | undefined;
  #isWhole = false;

  constructor(source: () => AsyncIterable<readonly CountedSample[]>) {
    this.#source = source;
  }

  /** One way through all samples. Throws `UserError` where the file cannot be written. */
  samples(): AsyncGenerator<readonly CountedSample[]> {
    return this.#isWhole ? this.#replay() : this.#record();
  }

  [Symbol.dispose](): void {
    if (!this.#file) return;
    this.#file.close();
    this.#file = undefined;
    if (Deno.build.os === "windows") Deno.removeSync(this.#path);
  }

  async *#record(): AsyncGenerator<readonly CountedSample[]> {
    const file = await this.#written(() => this.#open());
    let numbers = new Int32Array(BLOCK), length = 0;
    const flush = () => this.#written(() => writeAll(file, numbers.subarray(0, length)));
    for await (const part of this.#source()) {
      for (const { history, target } of part) {
        const size = 2 + history.length;
        if (length + size > numbers.length) {
          await flush();
          length = 0;
          if (size > numbers.length) numbers = new Int32Array(2 * size);
        }
        numbers[length++] = history.length;
        numbers[length++] = target;
        for (let i = 0; i < history.length; i++) numbers[length++] = history[i];
      }
      yield part;
    }
    await flush();
    this.#isWhole = true;
  }

  async *#replay(): AsyncGenerator<readonly CountedSample[]> {
    const file = this.#file!;
    await file.seek(0, Deno.SeekMode.Start);
    let numbers = new Int32Array(BLOCK), bytes = 0;
    for (;;) {
      const read = await file.read(new Uint8Array(numbers.buffer, bytes));
      if (read === null) break;
      bytes += read;
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
    if (bytes > 0) throw new Error(`${this.#path} ends within a sample`);
  }

  /** The empty file, which has no name any more where the system allows it: so nothing is left of a killed process. */
  async #open(): Promise<Deno.FsFile> {
    this[Symbol.dispose]();
    this.#path = await Deno.makeTempFile({ prefix: "genrec-samples-" });
    this.#file = await Deno.open(this.#path, { read: true, write: true });
    if (Deno.build.os !== "windows") await Deno.remove(this.#path);
    return this.#file;
  }

  #written<T>(write: () => Promise<T>): Promise<T> {
    return attempt(
      `write samples to a temporary file${this.#path && `, ${this.#path}`}`,
      write,
      "Free some space there, or name a folder that has some in TMPDIR (TEMP on Windows)",
    );
  }
}

async function writeAll(file: Deno.FsFile, numbers: Int32Array): Promise<void> {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
