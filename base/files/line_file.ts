import { join } from "node:path";
import { attempt, writeAll, writeAtomic } from "./write_atomic.ts";

/** Makes a folder and its parents. Throws {@link UserError} where a file is in the way or the disk refuses. */
export async function makeFolder(path: string): Promise<void> {
  await attempt(`make folder ${path}`, () => Deno.mkdir(path, { recursive: true }));
}

/** Writes a report as JSON into a folder, which it makes. Returns the file's path. */
export async function writeReport(folder: string, name: string, report: unknown): Promise<string> {
  await makeFolder(folder);
  const path = join(folder, name);
  await writeAtomic(path, JSON.stringify(report, null, 2) + "\n");
  return path;
}

/** A file of lines that appears under its name when it is whole; closed before, it leaves nothing behind. */
export class LineFile implements AsyncDisposable {
  readonly path: string;
  #file: Deno.FsFile | undefined;

  private constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.#file = file;
  }

  static async create(path: string): Promise<LineFile> {
    const file = await attempt(`write ${path}`, () =>
      Deno.open(`${path}.tmp`, {
        write: true,
        create: true,
        truncate: true,
      }));
    return new LineFile(path, file);
  }

  /** Appends one value as a line of JSON. */
  async append(value: unknown): Promise<void> {
    await this.write(JSON.stringify(value) + "\n");
  }

  /** Appends text as it is, for files whose values take several lines. */
  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    await attempt(`write ${this.path}`, () => writeAll(this.#file!, bytes));
  }

  /** Gives the file its name. */
  async commit(): Promise<void> {
    await attempt(`write ${this.path}`, async () => {
      await this.#file!.sync();
      this.#file!.close();
      this.#file = undefined;
      await Deno.rename(`${this.path}.tmp`, this.path);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#file) return;
    this.#file.close();
    await Deno.remove(`${this.path}.tmp`);
  }
}
