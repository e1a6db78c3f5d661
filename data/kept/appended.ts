import { createHash, type Hash } from "node:crypto";
import { attempt, writeAll } from "../../base/files/write_atomic.ts";
import type { KeptFile } from "./parts.ts";

const BLOCK = 1 << 22;

/**
 * A file of what takes no memory: it is added to, then read. In the system's folder of temporary files, where it ends with the
 * process, until work that goes on after a stop takes it to its own.
 */
export class AppendedFile implements Disposable {
  readonly #what: string;
  #file: Deno.FsFile | undefined;
  /** "" before it is there. */
  #path = "";
  #isTemporary = true;
  #bytes = 0;
  #hash = createHash("sha256");

  /** Nothing of `what`, in words. */
  constructor(what: string) {
    this.#what = what;
  }

  /** What was kept of a file in a folder. */
  static async goOn(what: string, path: string, bytes: number, hash: Hash): Promise<AppendedFile> {
    const appended = new AppendedFile(what);
    const file = await Deno.open(path, { read: true, write: true });
    await file.truncate(bytes);
    await file.seek(bytes, Deno.SeekMode.Start);
    [appended.#file, appended.#path, appended.#isTemporary] = [file, path, false];
    [appended.#bytes, appended.#hash] = [bytes, hash];
    return appended;
  }

  /** Adds bytes. Throws `UserError` where they cannot be written. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#written(async () => writeAll(await this.#open(), bytes));
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** Reads from the beginning: the function fills bytes, and says how many, null at the end. Nothing is added after that. */
  async reader(): Promise<(into: Uint8Array) => Promise<number | null>> {
    const file = await this.#open();
    await file.seek(0, Deno.SeekMode.Start);
    return (into) => file.read(into);
  }

  /** What was added, as this file of a folder, to which it moves the first time. */
  async keepAs(folder: string, path: string): Promise<KeptFile> {
    if (this.#isTemporary) await this.#moveTo(`${folder}/${path}`);
    return { path, bytes: this.#bytes, sha256: this.#hash.copy().digest("hex") };
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    if (this.#file && this.#isTemporary && Deno.build.os === "windows") Deno.removeSync(this.#path);
    this.#file = undefined;
  }

  async #moveTo(path: string): Promise<void> {
    const from = await this.#open(), place = await from.seek(0, Deno.SeekMode.Current);
    const file = await Deno.open(path, { read: true, write: true, create: true, truncate: true });
    try {
      await from.seek(0, Deno.SeekMode.Start);
      const block = new Uint8Array(BLOCK);
      for (let count; (count = await from.read(block)) !== null;) {
        await writeAll(file, block.subarray(0, count));
      }
      await file.seek(place, Deno.SeekMode.Start);
    } catch (error) {
      file.close();
      await from.seek(place, Deno.SeekMode.Start);
      throw error;
    }
    this[Symbol.dispose]();
    [this.#file, this.#path, this.#isTemporary] = [file, path, false];
  }

  /** The file, which has no name where the system allows it: so nothing is left of a killed process. */
  async #open(): Promise<Deno.FsFile> {
    if (this.#file) return this.#file;
    this.#path = await Deno.makeTempFile({ prefix: "genrec-" });
    this.#file = await Deno.open(this.#path, { read: true, write: true });
    if (Deno.build.os !== "windows") await Deno.remove(this.#path);
    return this.#file;
  }

  #written<T>(write: () => Promise<T>): Promise<T> {
    const where = this.#isTemporary ? `a temporary file${this.#path && `, ${this.#path}`}` : this.#path;
    return attempt(
      `write ${this.#what} to ${where}`,
      write,
      `Free some space there${
        this.#isTemporary ? ", or name a folder that has some in TMPDIR (TEMP on Windows)" : ""
      }`,
    );
  }
}
