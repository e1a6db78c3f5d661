import { parquetWriteBuffer } from "hyparquet-writer";
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

/** The bytes of a Parquet file, compressed with Snappy. */
export function formatParquet<const T extends TableType>(type: T, table: ParquetTable<T>): Uint8Array {
  const names = Object.keys(type);
  const schema: SchemaElement[] = [{ name: "table", num_children: names.length }];
  for (const name of names) schema.push(...columnSchema(name, type[name]));
  return new Uint8Array(parquetWriteBuffer({
    schema,
    columnData: names.map((name) => ({
      name,
      data: type[name].kind === "long" ? table[name].map(toBigInt) : table[name],
    })),
    createdBy: "genrec",
  }));
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
