import type { ParquetTable, TableType } from "../../../../base/files/parquet/table.ts";
import { parquetPieces } from "../../../../base/files/parquet/write.ts";

/** The bytes of a Parquet file, of a table that comes in these parts. */
export async function formatParquet<const T extends TableType>(
  type: T,
  ...tables: ParquetTable<T>[]
): Promise<Uint8Array<ArrayBuffer>> {
  async function* parts() {
    for (const table of tables) yield await Promise.resolve(table);
  }
  const pieces = await Array.fromAsync(parquetPieces(type, parts()));
  return new Uint8Array(await new Blob(pieces.map(({ bytes }) => bytes as BlobPart)).arrayBuffer());
}
