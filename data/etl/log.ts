import { UserError } from "../../base/user_error.ts";
import type { Engine } from "./read/engine.ts";
import { countLog, type Step } from "./select_log.ts";
import { name, sql } from "./read/sql.ts";
import type { Ties } from "./ties.ts";

/**
 * Makes tables `user_keys`, `item_keys` (key INTEGER, id VARCHAR) and `log` (ord BIGINT, place in the input; user, item
 * INTEGER keys; time; fraction; rating; context) of the good lines of `reviews` whose item has a title in `titles`, then drops
 * `reviews`. Returns what steps on the way left, of `good` lines. Keys are numbers for working; what the dataset calls users
 * and items is decided in {@link numberLog}.
 */
export async function makeLog(engine: Engine, good: number): Promise<Step[]> {
  const steps: Step[] = [];
  let before = good;
  for (const [label, list] of [["items that --meta has", "known_items"], ["title filter", "titles"]]) {
    await engine.run(sql`CREATE OR REPLACE TEMP VIEW kept_reviews AS
      FROM reviews SEMI JOIN ${name(list)} ON item = id WHERE problem IS NULL`);
    const { reviews } = await engine.row<{ reviews: number }>(
      sql`SELECT count(*) AS reviews FROM kept_reviews`,
    );
    if (reviews === before) continue;
    const step = await countLog(engine, "kept_reviews", label, before);
    if (reviews === 0) throw await nothingLeft(engine, step);
    steps.push(step);
    before = step.reviews;
  }
  await engine.run(sql`CREATE TABLE user_keys AS
    SELECT (row_number() OVER () - 1)::INTEGER AS key, "user" AS id
    FROM (SELECT DISTINCT "user" FROM reviews WHERE problem IS NULL)`);
  await engine.run(sql`CREATE TABLE item_keys AS
    SELECT (row_number() OVER () - 1)::INTEGER AS key, item AS id
    FROM (SELECT DISTINCT item FROM reviews SEMI JOIN titles ON item = id WHERE problem IS NULL)`);
  await engine.run(sql`CREATE TABLE log AS
    SELECT reviews.rowid AS ord, user_keys.key AS "user", item_keys.key AS item, time, fraction, rating, context
    FROM reviews JOIN item_keys ON item = item_keys.id JOIN user_keys ON "user" = user_keys.id
    WHERE problem IS NULL`);
  await engine.run(sql`DROP VIEW kept_reviews`);
  await engine.run(sql`DROP TABLE reviews`);
  return steps;
}

async function nothingLeft(engine: Engine, { step, lost }: Step): Promise<UserError> {
  const what = `Cannot make a dataset: no review is left after ${
    step === "title filter" ? `the ${step}` : `leaving out ${lost} of items that --meta does not have`
  }`;
  if (step === "title filter") {
    return new UserError(`${what}, ${lost} went in. Keep items without a title with --title-filter off`);
  }
  const { ours, theirs } = await engine.row<{ ours: string; theirs: string }>(
    sql`SELECT (SELECT min(item) FROM reviews WHERE problem IS NULL) AS ours, (SELECT min(id) FROM known_items) AS theirs`,
  );
  return new UserError(
    `${what}: items are called "${ours}" in --reviews and "${theirs}" in --meta. Check that the files belong together, and ` +
      "the columns of items",
  );
}

/**
 * Numbers what `core` left. Users by first appearance in the input; items by first appearance in the walk over users in
 * that order, each in time order to the nanosecond, ties by their key, then in input order. Makes `interactions` (user, item
 * INTEGER from 0; time; fraction; rating; context)
 * in walk order, `users` and `items` (number INTEGER, id VARCHAR), and drops `core`.
 * Source: MiniOneRec (arXiv:2510.24431), its Amazon preprocessing.
 */
export async function numberLog(engine: Engine, { key }: Ties = {}): Promise<void> {
  await engine.run(sql`CREATE TABLE user_numbers AS
    SELECT "user" AS key, (row_number() OVER (ORDER BY min(ord)) - 1)::INTEGER AS number FROM core GROUP BY "user"`);
  // A table made in an order keeps it: rowid is the place in the walk.
  const ids = key === undefined ? sql`` : sql`
    JOIN (SELECT key AS "user", id AS user_id FROM user_keys) AS users USING ("user")
    JOIN (SELECT key AS item, id AS item_id FROM item_keys) AS items USING (item)`;
  await engine.run(sql`CREATE TABLE walk AS
    SELECT number AS "user", item, time, fraction, rating, context FROM core ${ids} JOIN user_numbers ON core."user" = key
    ORDER BY number, time, fraction, ${key === undefined ? sql`` : sql`${key},`} ord`);
  await engine.run(sql`DROP TABLE core`);
  await engine.run(sql`CREATE TABLE item_numbers AS
    SELECT item AS key, (row_number() OVER (ORDER BY min(rowid)) - 1)::INTEGER AS number FROM walk GROUP BY item`);
  await engine.run(sql`CREATE TABLE interactions AS
    SELECT "user", number AS item, time, fraction, rating, context FROM walk JOIN item_numbers ON item = key ORDER BY walk.rowid`);
  await engine.run(sql`DROP TABLE walk`);
  await engine.run(sql`CREATE TABLE users AS
    SELECT number, id FROM user_numbers JOIN user_keys USING (key) ORDER BY number`);
  await engine.run(sql`CREATE TABLE items AS
    SELECT number, id FROM item_numbers JOIN item_keys USING (key) ORDER BY number`);
}
