import { excerpt } from "../../../base/file_error.ts";
import { UserError } from "../../../base/user_error.ts";
import { type NumberUnit, PERIOD, UNIT_DIGITS } from "../../times.ts";
import type { Engine } from "./engine.ts";
import { commas, name, type Sql, sql } from "./sql.ts";

/** How times may be said to be written; `auto` finds it out, a column at a time. */
export const TIME_UNITS = [
  "auto",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds",
  "text",
] as const;
export type TimeUnit = typeof TIME_UNITS[number];

/** A way to write times, and SQL that reads a text column under it. */
export interface TimeForm {
  /** For people. */
  name: string;
  /** The flag that says so. */
  flag: string;
  /** BIGINT, whole seconds since 1970, rounded down; NULL where the text is no time of this form. */
  seconds: Sql;
  /** INTEGER nanoseconds beyond `seconds`: events within a second keep their order. */
  nanoseconds: Sql;
  /** What every text of this form holds, as any letter stands for all; absent where nothing is for certain. */
  marks?: readonly string[];
}

/** The form that a column turned out to have. */
export interface TimeChoice {
  form: TimeForm;
  /** Whether times outside {@link PERIOD} are faults: not where the whole column is outside. */
  inPeriod: boolean;
}

/** Values that a form is chosen by before it is tried on all. */
const SAMPLE = 2000;

/** Numbers of a unit since 1970. */
function numberForm(column: Sql, unit: NumberUnit): TimeForm {
  const exponent = UNIT_DIGITS[unit];
  // Decimals, since doubles lose the last digits of nanoseconds; whole numbers need none, and rounding them is wrong.
  const exact = sql`TRY_CAST(${column} AS DECIMAL(38, 9))`;
  const isWhole = sql`regexp_full_match(trim(${column}), '[+-]?\\d{1,18}')`;
  const whole =
    sql`CASE WHEN ${isWhole} THEN TRY_CAST(${column} AS HUGEINT) ELSE CAST(floor(${exact}) AS HUGEINT) END`;
  const part =
    sql`CASE WHEN ${isWhole} THEN 0 ELSE CAST((${exact} - floor(${exact})) * 1000000000 AS BIGINT) END`;
  const named = { name: unit, flag: `--time-unit ${unit}` };
  if (exponent === 0) return { ...named, seconds: sql`TRY_CAST(${whole} AS BIGINT)`, nanoseconds: part };
  const scale = 10 ** exponent;
  // Rounded down, before 1970 too.
  const rest = sql`((${whole} % ${scale}) + ${scale}) % ${scale}`;
  return {
    ...named,
    seconds: sql`TRY_CAST((${whole} - ${rest}) // ${scale} AS BIGINT)`,
    nanoseconds: sql`CAST(${rest} * ${10 ** (9 - exponent)} + ${part} // ${scale} AS INTEGER)`,
  };
}

/** Nanoseconds in the fraction that a text has, such as .123456789. */
function fractionOf(column: Sql): Sql {
  return sql`CAST(rpad(left(regexp_extract(${column}, ':\\d{2}[.,](\\d+)', 1), 9), 9, '0') AS INTEGER)`;
}

function secondsIn(timestamp: Sql): Sql {
  return sql`TRY_CAST(floor(epoch(${timestamp})) AS BIGINT)`;
}

/** ISO 8601 with a year of four digits, fractions and zones as each value has them. */
function isoForm(column: Sql): TimeForm {
  const whole = sql`regexp_replace(${column}, '(:\\d{2})[.,]\\d+', '\\1')`;
  return {
    name: "ISO 8601",
    flag: "--time-unit text",
    seconds: sql`CASE WHEN regexp_matches(${column}, '^\\s*\\d{4}[-/]\\d{1,2}[-/]\\d{1,2}')
      THEN ${secondsIn(sql`TRY_CAST(${whole} AS TIMESTAMPTZ)`)} END`,
    nanoseconds: fractionOf(column),
  };
}

/** Digits alone, from the year to the hour or further: 20180920, 20210827211310, and fractions of it. */
function compactForm(column: Sql, digits: number, format: string): TimeForm {
  const text = sql`trim(${column})`;
  const isCompact = sql`regexp_full_match(${text}, ${digits === 14 ? "\\d{14}\\.?\\d*" : `\\d{${digits}}`})`;
  const rest = sql`regexp_extract(${text}, '^\\d{14}\\.?(\\d*)', 1)`;
  return {
    name: `digits such as ${"20180920211310".slice(0, digits)}`,
    flag: `--time-format '${format}'`,
    seconds: sql`CASE WHEN ${isCompact} THEN ${
      secondsIn(sql`try_strptime(left(${text}, ${digits}), ${format})`)
    } END`,
    nanoseconds: digits === 14 ? sql`CAST(rpad(left(${rest}, 9), 9, '0') AS INTEGER)` : sql`0`,
  };
}

/** A format of `strptime`. */
function formatForm(column: Sql, format: string): TimeForm {
  const hasFraction = /%[fgn]/.test(format);
  const text = hasFraction ? column : sql`regexp_replace(trim(${column}), '(:\\d{2})[.,]\\d+', '\\1')`;
  return {
    name: format,
    flag: `--time-format '${format}'`,
    seconds: secondsIn(sql`try_strptime(${text}, ${format})`),
    nanoseconds: fractionOf(column),
    marks: [...format.replace(/%[bBap]/g, "A").replace(/%./g, "").replace(/\s/g, "")],
  };
}

const CLOCKS = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z"];
const DATES = [
  ...["/", ".", "-"].flatMap((mark) =>
    ["%d m %Y", "%m d %Y", "%y m %d", "%d m %y", "%m d %y"].map((order) =>
      order.replaceAll(/ ([md])/g, " %$1").replaceAll(" ", mark)
    )
  ),
  "%m %d, %Y",
  "%b %d, %Y",
  "%B %d, %Y",
  "%d %b %Y",
  "%d %B %Y",
];
const FORMATS = [
  ...DATES.flatMap((date) => CLOCKS.map((clock) => date + clock)),
  "%a %b %d %H:%M:%S %z %Y",
  "%a %b %d %H:%M:%S %Y",
  "%a, %d %b %Y %H:%M:%S %z",
  "%a, %d %b %Y %H:%M:%S %Z",
  "%d/%b/%Y:%H:%M:%S %z",
];

function textForms(column: Sql): TimeForm[] {
  return [isoForm(column), ...FORMATS.map((format) => formatForm(column, format))];
}

function numberForms(column: Sql): TimeForm[] {
  const units = Object.keys(UNIT_DIGITS) as NumberUnit[];
  return [
    compactForm(column, 14, "%Y%m%d%H%M%S"),
    compactForm(column, 12, "%Y%m%d%H%M"),
    compactForm(column, 10, "%Y%m%d%H"),
    compactForm(column, 8, "%Y%m%d"),
    ...units.map((unit) => numberForm(column, unit)),
  ];
}

/** The form that needs no look at the values; undefined where they decide. */
export function givenForm(column: string, unit: TimeUnit, format: string): TimeForm | undefined {
  if (format !== "") return formatForm(name(column), format);
  return unit === "auto" || unit === "text" ? undefined : numberForm(name(column), unit);
}

/**
 * The one form of all times in `column` (VARCHAR) of a table: that under which most of them lie in {@link PERIOD}. Where
 * none does for half of them and they are numbers, seconds from 1970, which keeps their order. Throws `UserError` where
 * nothing reads them, or two forms read them all and differ.
 */
export async function chooseForm(
  engine: Engine,
  { table, column, unit, label }: { table: string; column: string; unit: TimeUnit; label: string },
): Promise<TimeChoice> {
  const cell = name(column);
  const given = sql`SELECT rowid, ${cell} FROM ${name(table)} WHERE trim(${cell}) <> ''`;
  const { count } = await engine.row<{ count: number }>(sql`SELECT count(*) AS count FROM (${given})`);
  const seconds = { form: numberForm(cell, "seconds"), inPeriod: false };
  if (count === 0) return seconds;
  const step = Math.max(1, Math.floor(count / SAMPLE));
  await engine.replace(
    "time_sample",
    sql`SELECT ${cell} FROM (SELECT *, row_number() OVER () AS place FROM (${given}))
      WHERE place % ${step} = 0 OR place <= ${SAMPLE}`,
  );
  const all = unit === "text" ? textForms(cell) : [...numberForms(cell), ...textForms(cell)];
  const forms = await possible(engine, cell, all);
  const sampled = await fits(engine, "time_sample", forms);
  const { size } = await engine.row<{ size: number }>(sql`SELECT count(*) AS size FROM time_sample`);
  const most = Math.max(...sampled);
  // A value out of the ordinary must not shut a form out before all values were seen.
  const likely = forms.filter((_, f) => sampled[f] > 0 && sampled[f] >= most - size / 10);
  const read = likely.length === 0 ? [] : await fits(engine, table, likely);
  const best = Math.max(0, ...read);
  if (best < count / 2) {
    const numbers = await engine.row<{ read: number }>(
      sql`SELECT count(${seconds.form.seconds}) AS read FROM time_sample`,
    );
    if (unit !== "text" && numbers.read >= size / 2) return seconds;
    const { example } = await engine.row<{ example: string }>(
      sql`SELECT any_value(${cell}) AS example FROM time_sample`,
    );
    throw new UserError(
      `Cannot read the times in ${label}: ${
        excerpt(example)
      } and others are written in no form that is known. ` +
        "Say how with --time-format, such as '%d.%m.%Y %H:%M'",
    );
  }
  const [chosen, ...rivals] = likely.filter((_, f) => read[f] === best);
  const share = best === count ? "both fit every value" : `each fits ${best} of ${count} values`;
  for (const rival of rivals) await refuseAmbiguous(engine, { table, cell, label, share }, chosen, rival);
  return { form: chosen, inPeriod: true };
}

/** The forms whose marks are in the sample: most are not, and each costs the engine milliseconds. */
async function possible(engine: Engine, cell: Sql, forms: readonly TimeForm[]): Promise<TimeForm[]> {
  const rows = await engine.rows<{ char: string }>(
    sql`SELECT DISTINCT unnest(string_split(${cell}, '')) AS char FROM time_sample`,
  );
  const found = new Set(rows.map(({ char }) => /[a-z]/i.test(char) ? "A" : char));
  return forms.filter(({ marks = [] }) => marks.every((mark) => found.has(mark)));
}

/** How many values of a table each form puts into the period. */
async function fits(engine: Engine, table: string, forms: readonly TimeForm[]): Promise<number[]> {
  const counts = forms.map(({ seconds }, f) =>
    sql`count(*) FILTER (${seconds} BETWEEN ${PERIOD.from} AND ${PERIOD.to}) AS ${name(`form${f}`)}`
  );
  const row = await engine.row<Record<string, number>>(sql`SELECT ${commas(counts)} FROM ${name(table)}`);
  return forms.map((_, f) => row[`form${f}`]);
}

async function refuseAmbiguous(
  engine: Engine,
  { table, cell, label, share }: { table: string; cell: Sql; label: string; share: string },
  a: TimeForm,
  b: TimeForm,
): Promise<void> {
  const found = await engine.rows<{ text: string; one: number; other: number }>(
    sql`SELECT ${cell} AS text, ${a.seconds} AS one, ${b.seconds} AS other FROM ${name(table)}
      WHERE one <> other LIMIT 1`,
  );
  if (found.length === 0) return;
  const [{ text, one, other }] = found;
  const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
  throw new UserError(
    `Cannot tell the times in ${label}: "${text}" is ${day(one)} as ${a.name} and ${
      day(other)
    } as ${b.name}, and ` +
      `${share}. Say which with ${a.flag}`,
  );
}
