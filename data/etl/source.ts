import type { TitleFilter } from "./read/clean_text.ts";
import { type Sql, sql } from "./read/sql.ts";

/** How the lines of a table's files are read. */
export type TableFormat =
  /** One JSON object a line. */
  | { kind: "json" }
  /** One Python dict (or JSON object) a line. */
  | { kind: "python" }
  /** Delimited text. `header` is true where the first line names the columns, else the list of their names. */
  | { kind: "csv"; delimiter: string; header: true | readonly string[]; quote: string; encoding: string }
  | { kind: "parquet" };

/**
 * The reviews of a source: which columns of the files are read, all as text. A line without user, item or time, or whose
 * rating is no number, is a bad line.
 */
export interface ReviewTable {
  format: TableFormat;
  /** Column of the user's id. */
  user: string;
  /** Column of the item's id. */
  item: string;
  /** Column of the time and SQL that makes unix seconds of it, BIGINT; absent where the source has no times. */
  time?: { column: string; value: Sql };
  /** Column of the rating, which may be empty; absent where the source has none. */
  rating?: string;
}

/**
 * The items of a source: which columns are read, as JSON, and SQL over them. A line without an id is a bad line; of
 * several lines with one id, the last with a title counts.
 */
export interface ItemTable {
  format: TableFormat;
  /** Columns read, each as JSON. */
  columns: readonly string[];
  /** Those of them that must be in a header. */
  required: readonly string[];
  /** VARCHAR. */
  id: Sql;
  /** JSON text or list of texts; HTML and white space are cleaned later, as in all fields up to `categories`. */
  title: Sql;
  description?: Sql;
  brand?: Sql;
  features?: Sql;
  /** JSON list of texts. */
  categories?: Sql;
  /** VARCHAR such as "$1,299.00". */
  price?: Sql;
  /** JSON object of what has no column of its own. */
  attributes?: Sql;
}

/** What a source's tables depend on besides the file. */
export interface SourceOptions {
  /** Which column of the user's files plays which role, for sources that leave it open. */
  columns: ColumnMapping;
  /** MiniOneRec reads the key `categories` alone, which the Amazon 2018 files lack. */
  categoriesKeyOnly: boolean;
}

/** Column names of a table whose layout is the user's own; "" where there is none. */
export interface ColumnMapping {
  user: string;
  item: string;
  time: string;
  timeUnit: TimeUnit;
  rating: string;
  metaItem: string;
  title: string;
  text: string;
  brand: string;
  category: string;
  price: string;
  features: string;
}

/** How a time is written; `auto` tells seconds from milliseconds by size. */
export const TIME_UNITS = ["auto", "seconds", "milliseconds", "text"] as const;
export type TimeUnit = typeof TIME_UNITS[number];

/** A kind of raw logs that can be turned into a dataset: one module and one line in the registry. */
export interface RawSource {
  /** Its name as `--dataset`. */
  name: string;
  /** The files it reads, for messages. */
  layout: string;
  /** Where the data comes from, for people. */
  source: string;
  /** Terms of use, for dataset.json. */
  license: string;
  /** The title filter that its users expect. */
  titleFilter: TitleFilter;
  /** Whether the user names the columns; items are then in the files of reviews where no others are named. */
  columnsByUser: boolean;
  /** How a file of reviews is read. Throws `UserError` for a path it cannot read. */
  reviews(path: string, options: SourceOptions): ReviewTable;
  /** How a file of items is read; undefined where the user names no column of titles. */
  items(path: string, options: SourceOptions): ItemTable | undefined;
}

/** A text column read as JSON, as text. */
export function textOf(column: Sql): Sql {
  return sql`(${column} ->> '$')`;
}

/** BIGINT seconds out of a text column; NULL where the text is no time. */
export function secondsOf(column: Sql, unit: TimeUnit): Sql {
  const number = sql`TRY_CAST(${column} AS DOUBLE)`;
  const seconds = sql`TRY_CAST(floor(${number}) AS BIGINT)`;
  const milliseconds = sql`TRY_CAST(floor(${number} / 1000) AS BIGINT)`;
  const text = sql`TRY_CAST(floor(epoch(TRY_CAST(${column} AS TIMESTAMPTZ))) AS BIGINT)`;
  if (unit === "seconds") return seconds;
  if (unit === "milliseconds") return milliseconds;
  if (unit === "text") return text;
  // 1e11 s is the year 5138, 1e11 ms is 1973.
  return sql`CASE WHEN ${number} IS NULL THEN ${text} WHEN abs(${number}) > 1e11 THEN ${milliseconds} ELSE ${seconds} END`;
}
