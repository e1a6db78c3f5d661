import {
  type AsyncBuffer,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type SchemaTree,
} from "hyparquet";
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

/** Rows of a Parquet file. */
export interface DecodedRows<T extends TableType> {
  table: ParquetTable<T>;
  /** Row groups of the whole file. */
  groups: number;
}

/** What the footer of a Parquet file says. */
export interface ParquetSizes {
  rows: number;
  /** Rows of each row group. */
  groups: number[];
  /** Values of each column; of a column of lists, those of all lists, an empty one counting as one. */
  values: Record<string, number>;
}

/** What the footer says, of a file that is not read otherwise. As {@link decodeParquet}, for the worker alone. */
export async function parquetSizes(file: AsyncBuffer, path: string): Promise<ParquetSizes> {
  try {
    const { row_groups } = await parquetMetadataAsync(file);
    const values: Record<string, number> = {};
    for (const { meta_data } of row_groups.flatMap(({ columns }) => columns)) {
      const name = meta_data?.path_in_schema[0] ?? "";
      values[name] = (values[name] ?? 0) + Number(meta_data?.num_values ?? 0);
    }
    const groups = row_groups.map(({ num_rows }) => Number(num_rows));
    return { rows: groups.reduce((sum, rows) => sum + rows, 0), groups, values };
  } catch (error) {
    throw notParquet(path, (error as Error).message);
  }
}

/**
 * The columns of `type` in a Parquet file, of all rows or of the row group of a number, from 0. Of damaged bytes it may take forever and fail after it ended, so that
 * nothing but the worker calls it. Throws `UserError` as `readParquet`.
 */
export async function decodeParquet<const T extends TableType>(
  file: AsyncBuffer,
  path: string,
  type: T,
  group?: number,
): Promise<DecodedRows<T>> {
  const table: Record<string, unknown[]> = {};
  let groups = 0;
  try {
    const metadata = await parquetMetadataAsync(file);
    groups = metadata.row_groups.length;
    const found = new Map(parquetSchema(metadata).children.map((column) => [column.element.name, column]));
    const sizes = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
    const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0);
    const first = group === undefined ? 0 : sum(sizes.slice(0, group));
    const rows = group === undefined ? Number(metadata.num_rows) : sizes[group] ?? 0;
    const columns = Object.keys(type).filter((name) => checkColumn(path, name, type[name], found));
    for (const name of columns) table[name] = [];
    // What the callback throws would be lost, so cells are looked at afterwards.
    if (rows > 0) {
      await parquetRead({
        file,
        metadata,
        columns,
        ...(group !== undefined && { rowStart: first, rowEnd: first + rows }),
        onChunk: ({ columnName, columnData, rowStart }) => {
          const cells = table[columnName];
          for (const [i, value] of columnData.entries()) cells[rowStart - first + i] = value;
        },
      });
    }
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
  return { table: table as ParquetTable<T>, groups };
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
