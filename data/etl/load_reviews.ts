import type { LoadedTable } from "./read/bad_lines.ts";
import { type Engine, UnreadableError } from "./read/engine.ts";
import { LINE } from "./read/plain_file.ts";
import { RawTable } from "./read/raw_table.ts";
import { name, type Sql, sql } from "./read/sql.ts";
import { chooseForm, givenForm, type TimeForm } from "./read/time_form.ts";
import { PERIOD } from "../times.ts";
import type { ReviewTable } from "./source.ts";

/** Reviews as loaded, and how their times were read. */
export interface LoadedReviews extends LoadedTable {
  /** Name of the form of times; absent where there are none. */
  timeForm?: string;
}

/**
 * Makes table `reviews` (user, item VARCHAR; time BIGINT seconds; fraction INTEGER nanoseconds beyond them; rating DOUBLE;
 * context VARCHAR, a token; problem VARCHAR, NULL for a good line), its rowid the place in the input. All files are read as `table` says.
 */
export async function loadReviews(
  engine: Engine,
  files: readonly string[],
  table: ReviewTable,
  encoding: string,
): Promise<LoadedReviews> {
  const { format, user, item, time, rating, context } = table;
  const columns = [...new Set([user, item, time?.column, rating, context])].filter((column) =>
    column !== undefined
  );
  const raw = await RawTable.open(engine, {
    files,
    format,
    columns,
    required: columns,
    as: "VARCHAR",
    encoding,
  });
  const form = time && givenForm(TIME_TEXT, time.unit, time.format);
  const query = (lines: Sql) => reviewQuery(table, form && { form }, lines);
  await loadWhole(engine, raw, "reviews", query);
  if (time === undefined || form) {
    return { table: "reviews", raw, problems: query, ...(form && { timeForm: form.name }) };
  }
  const label = `column ${time.column} of ${files.join(", ")}`;
  const choice = await chooseForm(engine, { table: "reviews", column: TIME_TEXT, unit: time.unit, label });
  await engine.replace(
    "reviews",
    sql`SELECT * EXCLUDE (${name(TIME_TEXT)}) FROM (${withTimes(time.column, choice, sql`FROM reviews`)})`,
  );
  return {
    table: "reviews",
    raw,
    problems: (lines) => withTimes(time.column, choice, query(lines)),
    timeForm: choice.form.name,
  };
}

/**
 * Makes a table of all rows of raw files, without {@link LINE}. Where the engine cannot read a file or finds rows in it
 * that are none, the files are copied into what it can read, so that each bad line has its number and its fault.
 */
export async function loadWhole(
  engine: Engine,
  raw: RawTable,
  table: string,
  query: (lines: Sql) => Sql,
): Promise<void> {
  const load = () =>
    engine.replace(table, sql`SELECT * EXCLUDE (${name(LINE)}) FROM (${query(raw.query())})`);
  if (raw.hasDirect) {
    try {
      await load();
      const { bad } = await engine.row<{ bad: number }>(
        sql`SELECT count(problem) AS bad FROM ${name(table)}`,
      );
      if (bad === 0) return;
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
    }
    await raw.copyDirect();
  }
  await load();
}

/** GPR's token of a context: `home page` is [CTX_HOME_PAGE], a token in brackets itself. */
const CONTEXT_TOKEN = sql`CASE
  WHEN regexp_full_match(context_text, '\\[[A-Z][A-Z0-9_]*\\]') THEN context_text
  WHEN regexp_full_match(context_text, '[A-Za-z0-9]+([ _-]+[A-Za-z0-9]+)*')
  THEN '[CTX_' || upper(regexp_replace(context_text, '[ _-]+', '_', 'g')) || ']' END`;

/** The last second that a JavaScript date can be. */
const LATEST = 8.64e12;
const TIME_TEXT = "time_text";

/** How times are read, once that is known. */
interface KnownTimes {
  form: TimeForm;
  /** Whether times outside the period are faults. */
  inPeriod?: boolean;
}

/** Reviews out of raw lines; where the form of times is still open, their text is in `time_text`. */
function reviewQuery(
  { user, item, time, rating, context }: ReviewTable,
  known: KnownTimes | undefined,
  lines: Sql,
): Sql {
  const ratingProblem = rating &&
    sql`WHEN rating_text <> '' AND NOT coalesce(isfinite(rating), FALSE) THEN ${`no number in ${rating}`}`;
  const contextProblem = context &&
    sql`WHEN context_text <> '' AND context IS NULL THEN ${`no name of a context in ${context}, such as search or home page`}`;
  const isOpen = time !== undefined && known === undefined;
  return sql`
    SELECT "user", item, ${isOpen ? sql`time_text,` : sql``} time, fraction, rating, context, CASE
      WHEN "user" IS NULL THEN ${`no user in ${user}`}
      WHEN item IS NULL THEN ${`no item in ${item}`}
      WHEN ${isNested(sql`"user"`)} THEN ${`an object or a list in ${user}, expected a text or a number`}
      WHEN ${isNested(sql`item`)} THEN ${`an object or a list in ${item}, expected a text or a number`}
      ${time && known ? timeProblem(time.column, known) : sql``}
      ${ratingProblem || sql``}
      ${contextProblem || sql``}
    END AS problem, ${name(LINE)}
    FROM (
      SELECT *, ${known?.form.seconds ?? sql`CAST(NULL AS BIGINT)`} AS time,
        ${known ? sql`coalesce(${known.form.nanoseconds}, 0)` : sql`0`}::INTEGER AS fraction
      FROM (SELECT
        ${name(LINE)},
        nullif(nfc_normalize(${name(user)}), '') AS "user",
        nullif(nfc_normalize(${name(item)}), '') AS item,
        ${time ? name(time.column) : sql`CAST(NULL AS VARCHAR)`} AS time_text,
        ${rating ? name(rating) : sql`CAST(NULL AS VARCHAR)`} AS rating_text,
        TRY_CAST(rating_text AS DOUBLE) AS rating,
        ${context ? sql`trim(${name(context)})` : sql`CAST(NULL AS VARCHAR)`} AS context_text,
        ${CONTEXT_TOKEN} AS context
      FROM (${lines}))
    )`;
}

/** Whether an id is JSON of more than one value: what a nested field reads as. */
function isNested(id: Sql): Sql {
  return sql`regexp_matches(${id}, '^(\\{"|\\[)') AND json_valid(${id})`;
}

/** Reviews whose times were still text, with times. */
function withTimes(column: string, known: KnownTimes, reviews: Sql): Sql {
  const { seconds, nanoseconds } = known.form;
  return sql`SELECT * REPLACE (CASE WHEN problem IS NOT NULL THEN problem ${
    timeProblem(column, known)
  } END AS problem) FROM (
    SELECT * REPLACE (${seconds} AS time, coalesce(${nanoseconds}, 0)::INTEGER AS fraction) FROM (${reviews}))`;
}

/** Branches of a CASE. */
function timeProblem(column: string, { form, inPeriod }: KnownTimes): Sql {
  const outside = `the time in ${column}, read as ${form.name}, is not from 1990 to 2100`;
  return sql`WHEN time IS NULL OR abs(time) > ${LATEST} THEN ${`no time in ${column}`}
    ${inPeriod ? sql`WHEN time NOT BETWEEN ${PERIOD.from} AND ${PERIOD.to} THEN ${outside}` : sql``}`;
}
