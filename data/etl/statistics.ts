import { type Split, splits } from "../dataset.ts";
import type { DatasetStatistics } from "../statistics.ts";
import type { Engine } from "./read/engine.ts";
import { sql } from "./read/sql.ts";

/** The figures that need no second look at the data; `DatasetCounts` of a corpus gives them all. */
export type Statistics = Pick<
  DatasetStatistics,
  | "users"
  | "items"
  | "interactions"
  | Split
  | "density"
  | "period"
  | "sameSecond"
  | "repeatedInteractions"
  | "meanHistory"
  | "coldTestItems"
  | "coldTargets"
  | "repeatedTargets"
>;

/** Figures over the tables `users`, `items`, `interactions` and `samples`. */
export async function logStatistics(engine: Engine): Promise<Statistics> {
  const sizes = await engine.row<Pick<Statistics, "users" | "items" | "interactions">>(sql`
    SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM items) AS items,
      (SELECT count(*) FROM interactions) AS interactions`);
  const { from, to } = await engine.row<{ from: number | null; to: number | null }>(
    sql`SELECT min(time) AS "from", max(time) AS "to" FROM interactions`,
  );
  const { timed, seconds, events } = await engine.row<{ timed: number; seconds: number; events: number }>(sql`
    SELECT coalesce(sum(size), 0)::BIGINT AS timed, count(*) AS seconds, coalesce(sum(items), 0)::BIGINT AS events
    FROM (SELECT count(*) AS size, count(DISTINCT item) AS items FROM interactions WHERE time IS NOT NULL
      GROUP BY "user", time)`);
  // A history's items were targets before, but for the oldest: no list need be unfolded.
  const rows = await engine.rows<
    { split: Split; samples: number; items: number; repeated: number; cold: number; coldItems: number }
  >(sql`
    WITH known AS (
      SELECT item FROM samples WHERE split = 'train' UNION SELECT history[1] FROM samples WHERE split = 'train'
    )
    SELECT split, count(*) AS samples, sum(len(history)) AS items,
      count(*) FILTER (list_contains(history, item)) AS repeated,
      count(*) FILTER (item NOT IN (FROM known)) AS cold,
      count(DISTINCT item) FILTER (item NOT IN (FROM known)) AS "coldItems"
    FROM samples GROUP BY split`);
  const of = Object.fromEntries(splits.map((split) => [split, rows.find((row) => row.split === split)]));
  const share = (split: Split, what: "repeated" | "cold") =>
    (of[split]?.[what] ?? 0) / (of[split]?.samples || 1);
  const total = rows.reduce((sum, { samples }) => sum + samples, 0);
  return {
    ...sizes,
    train: of.train?.samples ?? 0,
    valid: of.valid?.samples ?? 0,
    test: of.test?.samples ?? 0,
    density: sizes.interactions / (sizes.users * sizes.items),
    ...from !== null && to !== null && { period: { from: instant(from), to: instant(to) } },
    sameSecond: (timed - seconds) / (sizes.interactions || 1),
    repeatedInteractions: timed - events,
    meanHistory: rows.reduce((sum, { items }) => sum + items, 0) / (total || 1),
    coldTestItems: of.test?.coldItems ?? 0,
    coldTargets: { valid: share("valid", "cold"), test: share("test", "cold") },
    repeatedTargets: {
      train: share("train", "repeated"),
      valid: share("valid", "repeated"),
      test: share("test", "repeated"),
    },
  };
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
