import { UserError } from "../../base/user_error.ts";
import type { ModelFiles } from "../../models/hugging_face/weight_files.ts";

/** Files of one folder that are in memory, for code that reads models. */
export class MemoryFiles implements ModelFiles {
  readonly #folder: string;
  readonly #files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

  /** `files` by their names in `folder`. */
  constructor(folder: string, files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>) {
    this.#folder = folder;
    this.#files = files;
  }

  readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.#files.get(path.slice(this.#folder.length + 1));
    return bytes
      ? Promise.resolve(bytes)
      : Promise.reject(new UserError(`Cannot read ${path}: no such file`));
  }

  async readRange(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.readFile(path);
    if (bytes.length >= end) return bytes.slice(start, end);
    throw new UserError(`Cannot read ${path}: it ends at byte ${bytes.length}, expected at least ${end}`);
  }

  async fileSize(path: string): Promise<number> {
    return (await this.readFile(path)).length;
  }

  listFiles(_folder: string): Promise<string[]> {
    return Promise.resolve([...this.#files.keys()].sort());
  }
}
