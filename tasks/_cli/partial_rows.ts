import { attempt } from "../../base/files/write_atomic.ts";

/**
 * Rows of numbers that grow batch by batch in `PATH.partial`, so that stopped work goes on where it was. The file
 * begins with a line that says what the rows are; a file that says something else is begun anew.
 */
export class PartialRows {
  /** (total, dim), row after row; 0 from `rows` on. */
  readonly data: Float32Array<ArrayBuffer>;
  /** Rows that are there. */
  rows: number;
  readonly #path: string;
  readonly #dim: number;

  private constructor(path: string, dim: number, data: Float32Array<ArrayBuffer>, rows: number) {
    this.#path = path;
    this.#dim = dim;
    this.data = data;
    this.rows = rows;
  }

  /** Opens or begins the partial file of `path` for a matrix (total, dim) that `what` names, in one line. */
  static async open(path: string, what: string, total: number, dim: number): Promise<PartialRows> {
    const partial = `${path}.partial`;
    const data = new Float32Array(total * dim);
    const header = new TextEncoder().encode(what + "\n");
    const found = await Deno.readFile(partial).catch(() => undefined);
    const continues = found !== undefined && header.every((byte, i) => byte === found[i]);
    // A batch that was cut off while it was written does not count.
    const rows = continues ? Math.min(total, Math.floor((found.length - header.length) / (4 * dim))) : 0;
    const bytes = rows * dim * 4;
    if (continues) new Uint8Array(data.buffer).set(found.subarray(header.length, header.length + bytes));
    await attempt(`write ${partial}`, async () => {
      if (continues) await Deno.truncate(partial, header.length + bytes);
      else await Deno.writeFile(partial, header);
    });
    return new PartialRows(partial, dim, data, rows);
  }

  /** Adds whole rows, in memory and in the file. */
  async append(rows: Float32Array<ArrayBuffer>): Promise<void> {
    this.data.set(rows, this.rows * this.#dim);
    await attempt(
      `write ${this.#path}`,
      () =>
        Deno.writeFile(this.#path, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), {
          append: true,
        }),
    );
    this.rows += rows.length / this.#dim;
  }
}

/** Deletes the partial file of `path`, if there is one: the work is whole and elsewhere. */
export async function removePartial(path: string): Promise<void> {
  await Deno.remove(`${path}.partial`).catch(() => {});
}
