import type { TitleFilter } from "./read/clean_text.ts";
import type { TimeUnit } from "./read/time_form.ts";
import { type Sql, sql } from "./read/sql.ts";

/** How the lines of a table's files are read. */
export type TableFormat =
  /** One JSON object a line; other ways to put objects into text are read too. */
  | { kind: "json" }
  /**
   * Delimited text. `header` is true where the first line names the columns, else the list of their names; `legacy` is the
   * encoding of a file that is not UTF-8.
   */
  | { kind: "csv"; delimiter: string; header: true | readonly string[]; quote: string; legacy?: string }
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
  /** Column of the time and how it is written, `format` as `strptime` has it or ""; absent where the source has no times. */
  time?: { column: string; unit: TimeUnit; format: string };
  /** Column of the rating, which may be empty; absent where the source has none. */
  rating?: string;
  /** Column of where the user was, which may be empty; absent where the source has none. */
  context?: string;
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
  timeFormat: string;
  rating: string;
  context: string;
  metaItem: string;
  title: string;
  text: string;
  brand: string;
  category: string;
  price: string;
  features: string;
}

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
  /** Whether ties in time stay in the order of the file, as published figures have them. */
  keepsFileOrder?: boolean;
  /** How a file of reviews is read. Throws `UserError` for a path it cannot read. */
  reviews(path: string, options: SourceOptions): ReviewTable;
  /** How a file of items is read; undefined where the user names no column of titles. */
  items(path: string, options: SourceOptions): ItemTable | undefined;
}

/** A text column read as JSON, as text. */
export function textOf(column: Sql): Sql {
  return sql`(${column} ->> '$')`;
}
