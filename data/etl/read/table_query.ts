import { UserError } from "../../../base/user_error.ts";
import type { Engine } from "./engine.ts";
import type { TableFormat } from "../source.ts";
import { commas, name, Sql, sql } from "./sql.ts";

/** Files of one table and what to take from them. */
export interface TableRequest {
  files: readonly string[];
  format: TableFormat;
  columns: readonly string[];
  /** Columns that a header must have; lines of JSON have none, and each may lack any. */
  required: readonly string[];
  /** What each column arrives as: VARCHAR, or JSON, which tells a list from a text. */
  as: "VARCHAR" | "JSON";
  /** Table that takes the lines of delimited text of the wrong width; without it they are skipped unseen. */
  rejects?: string;
}

/**
 * A query for the wanted columns, one row a line in order. A line that is no JSON is a row of NULLs; delimited lines of
 * the wrong width are in `rejects`. Throws `UserError` for a missing column.
 */
export async function tableQuery(engine: Engine, request: TableRequest): Promise<Sql> {
  const { files, format, columns, as } = request;
  if (format.kind === "json") return sql`SELECT * FROM ${readJson(files, columns, as)}`;
  if (format.kind === "python") {
    const arrow = new Sql(as === "JSON" ? "->" : "->>");
    const fields = columns.map((column) => sql`literal ${arrow} ${column} AS ${name(column)}`);
    return sql`SELECT ${commas(fields)} FROM (
      SELECT CAST(literal_json(line) AS JSON) AS literal FROM ${readLines(files)} WHERE trim(line) <> ''
    )`;
  }
  const parquet = sql`read_parquet(${files}, union_by_name = TRUE)`;
  const found = await columnsOf(engine, format.kind === "parquet" ? parquet : readCsv(files, format));
  const table = format.kind === "parquet" ? parquet : readCsv(files, format, request.rejects);
  const missing = request.required.find((column) => !found.includes(column));
  if (missing !== undefined) {
    throw new UserError(
      `Cannot read ${files[0]}: expected a column ${missing}, found ${found.join(", ")}. ` +
        `Check --dataset and the names of columns`,
    );
  }
  const cells = columns.map((column) => {
    if (!found.includes(column)) return sql`CAST(NULL AS ${new Sql(as)}) AS ${name(column)}`;
    return as === "JSON"
      ? sql`to_json(${name(column)}) AS ${name(column)}`
      : sql`CAST(${name(column)} AS VARCHAR) AS ${name(column)}`;
  });
  return sql`SELECT ${commas(cells)} FROM ${table}`;
}

/** The rows of a query with `line`, their place from 0 in the order of the files. */
export function numberedLines(query: Sql): Sql {
  return sql`SELECT row_number() OVER () - 1 AS line, * FROM (${query})`;
}

function readJson(files: readonly string[], columns: readonly string[], as: string): Sql {
  const types = commas(columns.map((column) => sql`${name(column)}: ${as}`));
  return sql`read_json(${files}, format = 'newline_delimited', ignore_errors = TRUE, columns = {${types}})`;
}

function readLines(files: readonly string[]): Sql {
  // One column of whole lines: a separator that text does not hold, and no quotes.
  return sql`read_csv(${files}, auto_detect = FALSE, header = FALSE, delim = ${"\x01"}, quote = '', escape = '',
    columns = {line: 'VARCHAR'})`;
}

function readCsv(files: readonly string[], format: TableFormat & { kind: "csv" }, rejects?: string): Sql {
  const { delimiter, header, quote, encoding } = format;
  const layout = header === true
    ? sql`header = TRUE`
    : sql`header = FALSE, auto_detect = FALSE, columns = {${
      commas(header.map((column) => sql`${name(column)}: 'VARCHAR'`))
    }}`;
  const noted = rejects === undefined ? sql`` : sql`, store_rejects = TRUE, rejects_table = ${rejects},
    rejects_scan = ${rejects + "_files"}`;
  return sql`read_csv(${files}, delim = ${delimiter}, quote = ${quote}, escape = ${quote}, encoding = ${encoding},
    all_varchar = TRUE, ignore_errors = TRUE, ${layout}${noted})`;
}

async function columnsOf(engine: Engine, table: Sql): Promise<string[]> {
  const rows = await engine.rows<{ column_name: string }>(sql`DESCRIBE SELECT * FROM ${table}`);
  return rows.map(({ column_name }) => column_name);
}
