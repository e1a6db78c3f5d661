import { percent } from "../../base/round.ts";
import type { Engine } from "./read/engine.ts";
import { countLog, type Step } from "./select_log.ts";
import { type Sql, sql } from "./read/sql.ts";

/** How events of one user at the same time are put in order. */
export const TIE_RULES = ["auto", "file", "shuffle"] as const;
export type TieRule = typeof TIE_RULES[number];

/** Pairs of events at the same time that the order of a file is judged by, at least. */
const ENOUGH = 8;
/** Share of pairs in the order of their items from which that is no chance. */
const IN_ORDER = 0.9;
/** Share of interactions from which ties are warned of. */
const MANY = 0.05;

/** What is known of the ties of `core`, and SQL that orders them. */
export interface Ties {
  /** Key within the same time, over `user_id` and `item_id`; undefined where the order of the file is kept. */
  key?: Sql;
  /** For people; absent without ties. */
  note?: string;
}

/**
 * Decides how ties in `core` are put in order. `auto` keeps the order of the file, as MiniOneRec does with
 * Amazon's (`keepsFile`), but shuffles them where the file has them in the order of its items: a model would learn that.
 */
export async function decideTies(
  engine: Engine,
  { rule, seed, keepsFile }: { rule: TieRule; seed: number; keepsFile: boolean },
): Promise<Ties> {
  const { tied, total } = await engine.row<{ tied: number; total: number }>(sql`
    SELECT (coalesce(sum(size), 0) - count(*))::BIGINT AS tied, (SELECT count(*) FROM core) AS total FROM (
      SELECT count(*) AS size FROM core WHERE time IS NOT NULL GROUP BY "user", time, fraction)`);
  if (tied === 0) return {};
  const share = `same time as the one before: ${percent(tied / total)} of interactions`;
  const follows = rule === "auto" && !keepsFile ? await followsItems(engine) : undefined;
  if (rule === "shuffle" || follows !== undefined) {
    const why = follows === undefined ? "" : `; the file has those ${follows}`;
    const key = sql`md5_number_lower(concat_ws(${"\x1f"}, ${String(seed)}, user_id, item_id))`;
    return {
      key,
      note: `${
        warning(tied, total)
      }${share}${why}, shuffled with --seed ${seed} (--ties file keeps the file's order)`,
    };
  }
  return { note: `${warning(tied, total)}${share}, kept in file order (--ties shuffle for a neutral one)` };
}

function warning(tied: number, total: number): string {
  return tied / total >= MANY ? "Warning: " : "";
}

/** How the file's order of events at the same time follows from their items; undefined where it does not. */
async function followsItems(engine: Engine): Promise<string | undefined> {
  const { runs, items, rows } = await engine.row<{ runs: number; items: number; rows: number }>(sql`
    SELECT count(*) FILTER (item IS DISTINCT FROM before) AS runs, count(DISTINCT item) AS items, count(*) AS rows
    FROM (SELECT item, lag(item) OVER () AS before FROM (SELECT item FROM core ORDER BY ord))`);
  if (rows >= 2 * items && runs <= 1.05 * items) return "item by item";
  const id = sql`SELECT key, id, TRY_CAST(id AS DOUBLE) AS number FROM item_keys`;
  const { pairs, up } = await engine.row<{ pairs: number; up: number }>(sql`
    SELECT count(*) AS pairs, count(*) FILTER (coalesce(number > before_number, id > before_id)) AS up FROM (
      SELECT core.item, id, number, lag(core.item) OVER ties AS before, lag(id) OVER ties AS before_id,
        lag(number) OVER ties AS before_number
      FROM core JOIN (${id}) AS ids ON core.item = ids.key WHERE time IS NOT NULL
      WINDOW ties AS (PARTITION BY "user", time, fraction ORDER BY ord)
    ) WHERE before IS NOT NULL AND before <> item`);
  if (pairs < ENOUGH) return;
  if (up / pairs >= IN_ORDER) return "in the order of their items' ids";
  if (up / pairs <= 1 - IN_ORDER) return "against the order of their items' ids";
}

/** What was found of lines that repeat the user, item and time of an earlier one. */
export interface Repeats {
  /** The step that left them out, where it did. */
  steps: Step[];
  note?: string;
}

/** Counts the repeats in `log` and leaves them out if told to. */
export async function handleRepeats(engine: Engine, drop: boolean): Promise<Repeats> {
  const { repeats, total, timed } = await engine.row<{ repeats: number; total: number; timed: number }>(sql`
    SELECT (coalesce(sum(size), 0) - count(*))::BIGINT AS repeats, coalesce(sum(size), 0)::BIGINT AS total,
      count(time) AS timed
    FROM (SELECT count(*) AS size, time FROM log GROUP BY "user", item, time, fraction)`);
  if (repeats === 0) return { steps: [] };
  if (drop) {
    await engine.replace(
      "log",
      sql`SELECT log.* FROM log SEMI JOIN (
        SELECT min(ord) AS ord FROM log GROUP BY "user", item, time, fraction) AS firsts USING (ord) ORDER BY ord`,
    );
    return { steps: [await countLog(engine, "log", "without repeats", total)] };
  }
  const what = timed > 0 ? "user, item and time" : "user and item";
  const lines = repeats === 1 ? "1 repeated line" : `${repeats.toLocaleString("en")} repeated lines`;
  return {
    steps: [],
    note: `${warning(repeats, total)}${lines}, with the ${what} of an earlier one, count each ` +
      "(--drop-repeats leaves them out)",
  };
}
