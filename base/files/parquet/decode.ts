import { parquetMetadata, parquetRead, parquetSchema, type SchemaTree } from "hyparquet";
import { badValue, type Place } from "../../file_error.ts";
import type { ColumnType, ParquetTable, TableType } from "./table.ts";
import { UserError } from "../../user_error.ts";

const PHYSICAL: Record<ColumnType["kind"], string[]> = {
  integer: ["INT32", "INT64"],
  long: ["INT32", "INT64"],
  number: ["DOUBLE", "FLOAT", "INT32", "INT64"],
  text: ["BYTE_ARRAY"],
  integers: ["INT32", "INT64"],
  texts: ["BYTE_ARRAY"],
};

/**
 * The columns of `type` in the bytes of a Parquet file. Of damaged bytes it may take forever and fail after it ended, so that
 * nothing but the worker calls it. Throws `UserError` as `readParquet`.
 */
export async function decodeParquet<const T extends TableType>(
  file: ArrayBuffer,
  path: string,
  type: T,
): Promise<ParquetTable<T>> {
  const table: Record<string, unknown[]> = {};
  try {
    const metadata = parquetMetadata(file);
    const found = new Map(parquetSchema(metadata).children.map((column) => [column.element.name, column]));
    const rows = Number(metadata.num_rows);
    const columns = Object.keys(type).filter((name) => checkColumn(path, name, type[name], found));
    for (const name of columns) table[name] = [];
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
    for (const name of columns) {
      if (table[name].length !== rows) {
        throw badValue({ path, column: name }, `${rows} rows as the file says`, table[name].length, REMEDY);
      }
      convert(table[name], type[name], { path, column: name });
    }
    for (const name of Object.keys(type)) table[name] ??= Array(rows).fill(null);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw notParquet(path, (error as Error).message);
  }
  return table as ParquetTable<T>;
}

/** The error for a file that is no Parquet, or damaged. */
export function notParquet(path: string, problem: string): UserError {
  return new UserError(`Cannot read ${path}: expected a Parquet file, but ${problem}. ${REMEDY}`);
}

const REMEDY = "Write the dataset again";

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
    throw badValue({ path }, `a column ${name}`, [...found.keys()], REMEDY);
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
      REMEDY,
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
