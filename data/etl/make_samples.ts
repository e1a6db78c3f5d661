import type { SplitKind } from "../corpus.ts";
import type { Split } from "../dataset.ts";
import type { Engine } from "./read/engine.ts";
import { commas, type Sql, sql } from "./read/sql.ts";

/**
 * Makes table `samples` (user INTEGER, history INTEGER[] oldest first, item INTEGER, time, context, split) of `interactions`, in
 * file order: for each interaction of a user but the first, the up to `maxHistory` items before it, and its own context.
 *
 * `time`: all samples by time (ties in walk order); the first ⌊0.8 N⌋ are train, those up to ⌊0.9 N⌋ valid, the rest test.
 * `leave-one-out`: a user's last sample is test, the one before valid, the rest train, in walk order; a user of fewer
 * than three interactions is train alone.
 */
export async function makeSamples(engine: Engine, kind: SplitKind, maxHistory: number): Promise<void> {
  await engine.run(sql`CREATE TABLE spans AS
    SELECT "user", min(rowid) AS first, count(*) AS length FROM interactions GROUP BY "user"`);
  // Offsets into the walk need no window over users: what reaches back beyond the user's first is cut off.
  const before = Array.from({ length: maxHistory }, (_, i) => sql`lag(item, ${maxHistory - i}) OVER ()`);
  const windows = sql`
    SELECT rowid AS place, "user", item, time, fraction, context, [${
    commas(before)
  }] AS before FROM interactions`;
  const samples = sql`
    SELECT "user", before[greatest(1, ${
    maxHistory + 1
  } - (place - first)):] AS history, item, time, fraction, context, place, first, length
    FROM (${windows}) JOIN spans USING ("user") WHERE place > first`;
  const fromEnd = sql`first + length - 1 - place`;
  if (kind === "leave-one-out") {
    await engine.run(sql`CREATE TABLE samples AS
      SELECT "user", history, item, time, context,
        CASE WHEN length < 3 OR ${fromEnd} > 1 THEN 'train' WHEN ${fromEnd} = 1 THEN 'valid' ELSE 'test' END AS split
      FROM (${samples}) ORDER BY place`);
    return;
  }
  await engine.run(sql`CREATE TABLE in_order AS
    SELECT "user", history, item, time, context FROM (${samples}) ORDER BY time, fraction, place`);
  const { total } = await engine.row<{ total: number }>(sql`SELECT count(*) AS total FROM in_order`);
  const trainEnd = Math.floor(0.8 * total);
  const validEnd = Math.floor(0.9 * total);
  await engine.run(sql`CREATE VIEW samples AS
    SELECT *, CASE WHEN rowid < ${trainEnd} THEN 'train' WHEN rowid < ${validEnd} THEN 'valid' ELSE 'test' END AS split
    FROM in_order`);
}

/** The samples of a split, in file order. */
export function samplesOf(split: Split): Sql {
  const attributes =
    sql`CASE WHEN context IS NOT NULL THEN CAST(json_object('e_token', context) AS VARCHAR) END`;
  return sql`SELECT "user", history, item, time, ${attributes} AS attributes FROM samples WHERE split = ${split}`;
}
