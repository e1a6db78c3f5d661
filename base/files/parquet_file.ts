import { parquetMetadata, parquetRead, parquetSchema, type SchemaTree } from "hyparquet";
import { badValue, type Place } from "../file_error.ts";
import { diskFiles } from "./disk.ts";
import { UserError } from "../user_error.ts";

interface Cells {
  integer: number;
  /** 64 bits in the file. */
  long: number;
  number: number;
  text: string;
  integers: number[];
  texts: string[];
}

/** What a column holds. */
export interface ColumnType {
  kind: keyof Cells;
  /** Whether cells may be null; such a column may be missing, too. */
  nullable?: boolean;
}

/** Columns of a table by name. */
export type TableType = Record<string, ColumnType>;

type Cell<C extends ColumnType> = Cells[C["kind"]] | (C["nullable"] extends true ? null : never);

/** The cells of a table, column by column. */
export type ParquetTable<T extends TableType> = { [Column in keyof T]: Cell<T[Column]>[] };

const PHYSICAL: Record<keyof Cells, string[]> = {
  integer: ["INT32", "INT64"],
  long: ["INT32", "INT64"],
  number: ["DOUBLE", "FLOAT", "INT32", "INT64"],
  text: ["BYTE_ARRAY"],
  integers: ["INT32", "INT64"],
  texts: ["BYTE_ARRAY"],
};

/**
 * Reads the columns of `type` from a Parquet file; further columns are ignored. Throws `UserError` for a file that is
 * no Parquet, a column that is missing or holds something else, and a null where none may be.
 */
export async function readParquet<const T extends TableType>(
  path: string,
  type: T,
): Promise<ParquetTable<T>> {
  const file = (await diskFiles.readFile(path)).buffer;
  const table: Record<string, unknown[]> = {};
  try {
    const metadata = parquetMetadata(file);
    const found = new Map(parquetSchema(metadata).children.map((column) => [column.element.name, column]));
    const rows = Number(metadata.num_rows);
    const columns = Object.keys(type).filter((name) => checkColumn(path, name, type[name], found));
    for (const name of Object.keys(type)) table[name] = columns.includes(name) ? [] : Array(rows).fill(null);
    // What the callback throws would be lost, so cells are looked at afterwards.
    await parquetRead({
      file,
      metadata,
      columns,
      onChunk: ({ columnName, columnData, rowStart }) => {
        const cells = table[columnName];
        for (const [i, value] of columnData.entries()) cells[rowStart + i] = value;
      },
    });
    for (const name of columns) convert(table[name], type[name], { path, column: name });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `Cannot read ${path}: expected a Parquet file, but ${
        (error as Error).message
      }. Write the dataset again`,
    );
  }
  return table as ParquetTable<T>;
}

/** Whether the column is there. */
function checkColumn(
  path: string,
  name: string,
  { kind, nullable }: ColumnType,
  found: ReadonlyMap<string, SchemaTree>,
): boolean {
  const column = found.get(name);
  if (column === undefined) {
    if (nullable) return false;
    throw badValue({ path }, `a column ${name}`, [...found.keys()], "Write the dataset again");
  }
  const isList = kind === "integers" || kind === "texts";
  let leaf = column;
  while (leaf.children.length > 0) leaf = leaf.children[0];
  const physical = leaf.element.type ?? "a group";
  if (isList !== column.children.length > 0 || !PHYSICAL[kind].includes(physical)) {
    throw badValue(
      { path, column: name },
      isList ? `lists of ${kind}` : `${kind}`,
      isList ? `${column.children.length > 0 ? "lists of " : ""}${physical}` : physical,
      "Write the dataset again",
    );
  }
  return true;
}

/** Makes cells what their kind says, in place: a table is large. */
function convert(cells: unknown[], { kind, nullable }: ColumnType, place: Place): void {
  for (const [row, value] of cells.entries()) {
    if (value === null || value === undefined) {
      if (!nullable) throw badValue(place, "a value in every row", null, `See row ${row}`);
      cells[row] = null;
    } else if (typeof value === "bigint") {
      cells[row] = Number(value);
    } else if (kind === "text" && typeof value !== "string") {
      // A column that is marked as JSON arrives parsed.
      cells[row] = JSON.stringify(value);
    } else if (kind === "integers" && (value as unknown[]).some((one) => typeof one !== "number")) {
      cells[row] = Array.from(value as ArrayLike<number | bigint>, Number);
    }
  }
}
