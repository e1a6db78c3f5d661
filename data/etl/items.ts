import { UserError } from "../../base/user_error.ts";
import { type BadLines, checkBadLines, findBadLines } from "./read/bad_lines.ts";
import {
  cleanJoined,
  cleanList,
  cleanTitle,
  printedDescription,
  textsIn,
  type TitleRules,
} from "./read/clean_text.ts";
import type { Engine } from "./read/engine.ts";
import { loadWhole } from "./load_reviews.ts";
import { LINE } from "./read/plain_file.ts";
import { listToJson } from "./read/python_literal.ts";
import { RawTable } from "./read/raw_table.ts";
import type { ItemTable } from "./source.ts";
import { name, type Sql, sql } from "./read/sql.ts";

/** How the texts of items are cleaned. */
export interface TextRules extends TitleRules {
  /** Descriptions as MiniOneRec writes them: lists in Python's print. */
  printedLists: boolean;
}

/** The files of items and how to read them. */
export interface ItemFiles {
  files: readonly string[];
  table: ItemTable;
  /** Label of the Encoding standard, or `auto`. */
  encoding: string;
  /** Most lines that may be left out. */
  maxBadLines: number;
  /** Whether each item has one line, as in a table of items; a log names them again and again. */
  oneLineEach: boolean;
}

/** Gives SQL the functions of texts that the queries here use. */
export async function defineTextFunctions(engine: Engine, rules: TextRules): Promise<void> {
  await engine.define("list_json", 1, (cell) => {
    if (cell === null) return null;
    return cell.trimEnd().endsWith("]") ? listToJson(cell) : JSON.stringify(cell);
  });
  await engine.define("clean_title", 1, (json) => {
    const raw = textsIn(json)[0];
    return raw === undefined ? null : cleanTitle(raw, rules);
  });
  await engine.define("clean_text", 1, (json) => cleanJoined(json));
  await engine.define("clean_list", 1, cleanList);
  await engine.define(
    "clean_description",
    1,
    rules.printedLists ? printedDescription : (json) => cleanJoined(json),
  );
}

/** The titles that were found, and what was wrong with the files. */
export interface LoadedTitles {
  bad: BadLines;
  /** The files, to be read again; absent where there are none. */
  raw?: RawTable;
  /** What the user should know of them. */
  note?: string;
}

/**
 * Makes tables `titles` (id, title VARCHAR; line BIGINT, place in the files) of the items that may stay, of several lines
 * with one id the last with a title, and `known_items` (id) of all that the files name. Without files every reviewed item
 * stays, under its id.
 */
export async function loadTitles(
  engine: Engine,
  items: ItemFiles | undefined,
  rules: TextRules,
): Promise<LoadedTitles> {
  if (items === undefined) {
    await engine.run(sql`CREATE TABLE titles AS
      SELECT DISTINCT item AS id, item AS title, CAST(NULL AS BIGINT) AS line FROM reviews WHERE problem IS NULL`);
    await engine.run(sql`CREATE TABLE known_items AS SELECT id FROM titles`);
    return { bad: { count: 0, first: [] } };
  }
  const { files, table, encoding, maxBadLines, oneLineEach } = items;
  const raw = await RawTable.open(engine, { files, ...table, as: "JSON", encoding });
  const query = (lines: Sql) =>
    sql`SELECT nfc_normalize(${table.id}) AS id, ${table.title} AS raw_title, ${name(LINE)},
      CASE WHEN coalesce(${table.id}, '') = '' THEN 'no id of the item' END AS problem FROM (${lines})`;
  await loadWhole(
    engine,
    raw,
    "item_lines",
    (lines) => sql`SELECT id, clean_title(raw_title) AS title, problem, ${name(LINE)} FROM (${query(lines)})`,
  );
  const bad = await findBadLines(engine, { table: "item_lines", raw, problems: query });
  checkBadLines(bad, maxBadLines, "items");
  const { again } = await engine.row<{ again: number }>(
    sql`SELECT count(*) - count(DISTINCT id) AS again FROM item_lines WHERE problem IS NULL`,
  );
  await engine.run(sql`CREATE TABLE known_items AS SELECT DISTINCT id FROM item_lines WHERE problem IS NULL`);
  const keepUntitled = rules.filter === "off";
  await engine.run(sql`CREATE TABLE titles AS
    SELECT item_lines.id, coalesce(title, item_lines.id) AS title, line FROM item_lines JOIN (
      SELECT id, max(rowid) AS line FROM item_lines
      WHERE problem IS NULL AND (title IS NOT NULL OR ${keepUntitled}) GROUP BY id
    ) ON item_lines.rowid = line`);
  if (keepUntitled) {
    await engine.run(sql`INSERT INTO titles
      SELECT DISTINCT item, item, CAST(NULL AS BIGINT) FROM reviews
      WHERE problem IS NULL AND item NOT IN (SELECT id FROM titles)`);
    await engine.run(sql`INSERT INTO known_items SELECT id FROM titles WHERE line IS NULL`);
  }
  await engine.run(sql`DROP TABLE item_lines`);
  const { usable } = await engine.row<{ usable: number }>(sql`SELECT count(*) AS usable FROM titles`);
  if (usable === 0) {
    throw new UserError(
      `Cannot make a dataset: no item of ${files.join(", ")} has a title that passes the title filter. ` +
        `Check --dataset and the columns, or use --title-filter off`,
    );
  }
  const note = again > 0 && oneLineEach
    ? `lines of --meta for an item that an earlier line names: ${
      again.toLocaleString("en")
    }; of each item the last ` +
      "line with a title counts alone"
    : undefined;
  return { bad, raw, ...(note && { note }) };
}

/**
 * Makes table `catalogue`, the columns of items.parquet, for the numbered `items`: reads the files a second time, so that
 * only the texts of items that stay are ever kept.
 */
export async function loadCatalogue(
  engine: Engine,
  items: ItemFiles | undefined,
  raw: RawTable | undefined,
): Promise<void> {
  await engine.run(
    sql`CREATE TABLE kept AS SELECT number AS item, id, title, line FROM items JOIN titles USING (id)`,
  );
  await engine.run(sql`CREATE TABLE catalogue AS
    SELECT kept.item, kept.id, kept.title,
      description, brand, coalesce(categories, []) AS categories, price, features, attributes
    FROM kept LEFT JOIN (${items && raw ? detailQuery(items.table, raw) : NO_DETAILS}) USING (line)
    ORDER BY kept.item`);
  await engine.run(sql`DROP TABLE kept`);
}

/** Items of the catalogue with a value in each field: what a wrong column name or an old key leaves empty. */
export async function coverageOf(engine: Engine): Promise<Coverage> {
  return await engine.row<Coverage>(sql`
    SELECT count(description) AS description, count(brand) AS brand, count(price) AS price,
      count(*) FILTER (len(categories) > 0) AS categories, count(features) AS features
    FROM catalogue`);
}

/** Counts of items. */
export type Coverage = Record<"description" | "brand" | "categories" | "price" | "features", number>;

const NO_DETAILS = sql`SELECT CAST(NULL AS BIGINT) AS line, CAST(NULL AS VARCHAR) AS description,
  CAST(NULL AS VARCHAR) AS brand, CAST(NULL AS VARCHAR[]) AS categories, CAST(NULL AS DOUBLE) AS price,
  CAST(NULL AS VARCHAR) AS features, CAST(NULL AS VARCHAR) AS attributes`;

function detailQuery(table: ItemTable, raw: RawTable): Sql {
  const { description, brand, categories, price, features, attributes } = table;
  const lines = sql`SELECT row_number() OVER () - 1 AS line, * FROM (${raw.query()})`;
  // Merging into {} drops what is null.
  const merged = sql`json_merge_patch('{}', ${attributes ?? null})`;
  return sql`SELECT line,
      clean_description(${description ?? null}) AS description,
      clean_text(${brand ?? null}) AS brand,
      CAST(from_json(clean_list(${categories ?? null}), '["VARCHAR"]') AS VARCHAR[]) AS categories,
      ${priceOf(price ?? sql`CAST(NULL AS VARCHAR)`)} AS price,
      clean_text(${features ?? null}) AS features,
      ${
    attributes === undefined ? sql`CAST(NULL AS VARCHAR)` : sql`nullif(CAST(${merged} AS VARCHAR), '{}')`
  } AS attributes
    FROM (${lines}) SEMI JOIN kept USING (line)`;
}

/** DOUBLE out of text such as "$1,299.00"; ranges and page code come out NULL. */
function priceOf(text: Sql): Sql {
  const digits = sql`replace(ltrim(trim(${text}), '$'), ',', '')`;
  return sql`CASE WHEN regexp_full_match(${digits}, '\\d+(\\.\\d*)?|\\.\\d+') THEN TRY_CAST(${digits} AS DOUBLE) END`;
}
