import { deserialize, serialize } from "node:v8";
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

/** A piece of a Parquet file. */
export interface ParquetPiece {
  bytes: Uint8Array;
  /** Rows of this piece and of those before it. */
  rows: number;
  /** What the pieces behind this one are made with, in bytes, as long as no other was asked for; absent of the last. */
  state?(): Uint8Array;
}

/**
 * A Parquet file, compressed with Snappy, in pieces of a row group each. It holds the rows of one, however the table is
 * cut into parts. With the `state` of a piece, the pieces behind it, of the same parts from the first on.
 */
export async function* parquetPieces<const T extends TableType>(
  type: T,
  parts: AsyncIterable<ParquetTable<T>>,
  state?: Uint8Array,
): AsyncGenerator<ParquetPiece> {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, schema: schemaOf(type), createdBy: "genrec" });
  if (state !== undefined) {
    taken(bytes); // the head, which is there
    const { offset, ...rest } = deserialize(state) as WriterState;
    bytes.offset = offset;
    Object.assign(writer, rest);
  }
  const rows = () => Number(writer.num_rows);
  for await (const table of regrouped(type, parts, rows())) {
    writer.write({ columnData: columnsOf(type, table), rowGroupSize: lengthOf(table) });
    yield { bytes: taken(bytes), rows: rows(), state: () => serialize(stateOf(writer, bytes)) };
  }
  writer.finish();
  yield { bytes: taken(bytes), rows: rows() };
}

/** What a writer knows of what it has written. */
interface WriterState extends Pick<ParquetWriter, "row_groups" | "pendingIndexes" | "num_rows"> {
  /** Bytes. */
  offset: number;
}

function stateOf(
  { row_groups, pendingIndexes, num_rows }: ParquetWriter,
  { offset }: ByteWriter,
): WriterState {
  return { offset, row_groups, pendingIndexes, num_rows };
}

/** The same rows in row groups; those behind the first `skipped`, which are whole groups or all rows. */
async function* regrouped<T extends TableType>(
  type: T,
  parts: AsyncIterable<ParquetTable<T>>,
  skipped: number,
): AsyncGenerator<ParquetTable<T>> {
  let held = emptyTable(type), left = skipped;
  let rows = skipped === 0 ? GROUP_ROWS.first : GROUP_ROWS.others;
  for await (const part of parts) {
    const first = Math.min(left, lengthOf(part));
    left -= first;
    for (const [name, cells] of Object.entries<unknown[]>(part)) {
      const column = held[name] as unknown[];
      for (let row = first; row < cells.length; row++) column.push(cells[row]);
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
