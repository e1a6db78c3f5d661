import { checkNpySize, type NpyLayout, npyLayout } from "../npy.ts";
import { UserError } from "../user_error.ts";
import { checkNoDevice, diskFiles } from "./disk.ts";

/** Bytes in which the header of a `.npy` file of a matrix ends, with much to spare. */
const HEAD = 4096;

/** The rows of a matrix in a `.npy` file, read as they are asked for. */
export class NpyRows implements Disposable {
  readonly rows: number;
  readonly dim: number;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #layout: NpyLayout;

  private constructor(path: string, file: Deno.FsFile, layout: NpyLayout) {
    [this.rows, this.dim] = layout.shape;
    this.#path = path;
    this.#file = file;
    this.#layout = layout;
  }

  /** Throws `UserError` for a file that is missing, damaged, cut off or no matrix. */
  static async open(path: string): Promise<NpyRows> {
    const size = await diskFiles.fileSize(path);
    await checkNoDevice(path);
    const layout = npyLayout(await diskFiles.readRange(path, 0, Math.min(size, HEAD)), path);
    checkNpySize(layout, size, path);
    const { shape } = layout;
    if (shape.length !== 2 || shape.includes(0)) {
      throw new UserError(
        `Cannot use ${path}: its shape is (${shape.join(", ")}), expected (rows, dim), both at least 1`,
      );
    }
    return new NpyRows(path, await Deno.open(path), layout);
  }

  /** Rows `first` to `first + count`: (count, dim). */
  async read(first: number, count: number): Promise<Float32Array<ArrayBuffer>> {
    const { dataStart, size, decode } = this.#layout;
    const bytes = new Uint8Array(count * this.dim * size);
    await this.#file.seek(dataStart + first * this.dim * size, Deno.SeekMode.Start);
    for (let filled = 0; filled < bytes.length;) {
      const read = await this.#file.read(bytes.subarray(filled));
      if (read === null) {
        throw new UserError(
          `Cannot read ${this.#path}: it was cut off while it was read. Run the command again`,
        );
      }
      filled += read;
    }
    return decode(bytes.buffer);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
