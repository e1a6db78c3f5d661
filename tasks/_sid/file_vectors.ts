import { bytesOfSize } from "../../base/fields.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { NpyRows } from "../../base/files/npy_rows.ts";
import { UserError } from "../../base/user_error.ts";
import { idListPath, readIdList, rowsOfItems } from "../../data/formats/id_list.ts";
import { checkEmbeddings } from "../../sid/embeddings.ts";
import { normalizeRows } from "../../sid/fuse.ts";
import { readItems, type RowSource } from "../../sid/mini_batches/row_source.ts";
import type { SidFlags } from "./flags.ts";

/** Copies that a fit in memory makes of vectors in single precision: as read, twice less codewords, on the device. */
const COPIES = 4;

/** Whether the vectors of the flags take more memory than allowed, so that they have to be read as they are needed. */
export async function isBeyondMemory({ embeddings, memory }: SidFlags): Promise<boolean> {
  if (embeddings === "") return false;
  using rows = await NpyRows.open(embeddings);
  return heldBytes(rows) > bytesOfSize(memory);
}

/** Bytes that a fit in memory takes. */
export function heldBytes({ rows, dim }: Pick<RowSource, "rows" | "dim">): number {
  return COPIES * rows * dim * Float32Array.BYTES_PER_ELEMENT;
}

/** Vectors in a file, in the order of the items. */
export type FileVectors = RowSource & Disposable;

/**
 * Opens a `.npy` file whose rows are those of `itemIds`, in their order or that of the id list beside it. Numbers are checked
 * as they are read. Throws `UserError` for a file that is damaged or of other items.
 */
export async function openVectors(
  { embeddings: path, unitLength, data }: SidFlags,
  itemIds: readonly string[] | undefined,
): Promise<FileVectors> {
  const file = await NpyRows.open(path);
  try {
    const ids = await readIdList(diskFiles, path);
    if (ids !== undefined && ids.length !== file.rows) {
      throw new UserError(
        `Cannot use ${path}: it has ${file.rows} rows, ${
          idListPath(path)
        } lists ${ids.length} ids, expected one a row. ` +
          "The files are of different runs, embed the items again",
      );
    }
    if (ids === undefined && itemIds !== undefined && itemIds.length !== file.rows) {
      throw new UserError(
        `Cannot use ${path}: it has ${file.rows} rows, ${data} has ${itemIds.length} items, expected one row an item in ` +
          "the same order. Embed the items of this dataset again",
      );
    }
    const rowOf = ids && Uint32Array.from(rowsOfItems(ids, itemIds ?? ids, idListPath(path)));
    return {
      rows: rowOf?.length ?? file.rows,
      dim: file.dim,
      async read(first, count) {
        const rows = rowOf
          ? await rowsInOrder(file, rowOf.subarray(first, first + count))
          : await file.read(first, count);
        const vectors = { data: rows, rows: count, dim: file.dim };
        checkEmbeddings(vectors, first);
        return unitLength ? normalizeRows(vectors).data as Float32Array<ArrayBuffer> : rows;
      },
      [Symbol.dispose]: () => file[Symbol.dispose](),
    };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** Rows in any order: (rows, D). */
async function rowsInOrder(file: NpyRows, rows: Uint32Array): Promise<Float32Array<ArrayBuffer>> {
  const { dim } = file;
  const places = Uint32Array.from(rows, (_, place) => place).sort((a, b) => rows[a] - rows[b]);
  const read = await readItems(file, places.map((place) => rows[place]));
  const data = new Float32Array(read.length);
  places.forEach((place, i) => data.set(read.subarray(i * dim, (i + 1) * dim), place * dim));
  return data;
}
