import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { SchemaElement } from "hyparquet";
import type { ColumnType, ParquetTable, TableType } from "./table.ts";

const INTEGER = { type: "INT32" } as const;
const TEXT = { type: "BYTE_ARRAY", converted_type: "UTF8" } as const;
const LEAVES = {
  integer: INTEGER,
  long: { type: "INT64" },
  number: { type: "DOUBLE" },
  text: TEXT,
  integers: INTEGER,
  texts: TEXT,
} as const;

/** Rows of the first row group, which is small so that a look at a file is cheap, and of each further one. */
const GROUP_ROWS = { first: 1000, others: 100_000 };

/**
 * A Parquet file, compressed with Snappy, in pieces of a row group each. It holds the rows of one, however the table is
 * cut into parts.
 */
export async function* parquetPieces<const T extends TableType>(
  type: T,
  parts: AsyncIterable<ParquetTable<T>>,
): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, schema: schemaOf(type), createdBy: "genrec" });
  for await (const table of regrouped(type, parts)) {
    writer.write({ columnData: columnsOf(type, table), rowGroupSize: lengthOf(table) });
    yield taken(bytes);
  }
  writer.finish();
  yield taken(bytes);
}

/** The same rows in row groups. */
async function* regrouped<T extends TableType>(
  type: T,
  parts: AsyncIterable<ParquetTable<T>>,
): AsyncGenerator<ParquetTable<T>> {
  let held = emptyTable(type), rows = GROUP_ROWS.first;
  for await (const part of parts) {
    for (const [name, cells] of Object.entries<unknown[]>(part)) {
      const column = held[name] as unknown[];
      for (const cell of cells) column.push(cell);
    }
    let start = 0;
    while (start + rows <= lengthOf(held)) {
      yield sliceOf(held, start, start + rows);
      start += rows;
      rows = GROUP_ROWS.others;
    }
    held = sliceOf(held, start);
  }
  if (lengthOf(held) > 0) yield held;
}

/** What was written since the last time. */
function taken(writer: ByteWriter): Uint8Array {
  const bytes = writer.getBytes().slice();
  writer.index = 0;
  return bytes;
}

function emptyTable<T extends TableType>(type: T): ParquetTable<T> {
  return Object.fromEntries(Object.keys(type).map((name) => [name, []])) as unknown as ParquetTable<T>;
}

function sliceOf<T extends TableType>(table: ParquetTable<T>, start: number, end?: number): ParquetTable<T> {
  const columns = Object.entries<unknown[]>(table).map(([name, cells]) => [name, cells.slice(start, end)]);
  return Object.fromEntries(columns) as ParquetTable<T>;
}

function lengthOf<T extends TableType>(table: ParquetTable<T>): number {
  return Object.values<unknown[]>(table)[0].length;
}

function columnsOf<T extends TableType>(type: T, table: ParquetTable<T>) {
  return Object.entries(type).map(([name, { kind }]) => ({
    name,
    data: kind === "long" ? table[name].map(toBigInt) : table[name],
  }));
}

function schemaOf(type: TableType): SchemaElement[] {
  const columns = Object.entries(type);
  const root: SchemaElement = { name: "table", num_children: columns.length };
  return [root, ...columns.flatMap(([name, column]) => columnSchema(name, column))];
}

function columnSchema(name: string, { kind, nullable }: ColumnType): SchemaElement[] {
  const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
  if (kind !== "integers" && kind !== "texts") return [{ name, repetition_type, ...LEAVES[kind] }];
  return [
    { name, repetition_type, converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "REQUIRED", ...LEAVES[kind] },
  ];
}

function toBigInt(value: unknown): bigint | null {
  return value === null ? null : BigInt(value as number);
}
