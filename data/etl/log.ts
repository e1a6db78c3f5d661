import { UserError } from "../../base/user_error.ts";
import type { Engine } from "./read/engine.ts";
import { sql } from "./read/sql.ts";

/**
 * Makes tables `user_keys`, `item_keys` (key INTEGER, id VARCHAR) and `log` (ord BIGINT, place in the input; user, item
 * INTEGER keys; time; rating) of the good lines of `reviews` whose item has a title in `titles`, then drops `reviews`.
 * Keys are numbers for working; what the dataset calls users and items is decided in {@link numberLog}.
 */
export async function makeLog(engine: Engine): Promise<void> {
  await engine.run(sql`CREATE TABLE user_keys AS
    SELECT (row_number() OVER () - 1)::INTEGER AS key, "user" AS id
    FROM (SELECT DISTINCT "user" FROM reviews WHERE problem IS NULL)`);
  await engine.run(sql`CREATE TABLE item_keys AS
    SELECT (row_number() OVER () - 1)::INTEGER AS key, item AS id
    FROM (SELECT DISTINCT item FROM reviews SEMI JOIN titles ON item = id WHERE problem IS NULL)`);
  await engine.run(sql`CREATE TABLE log AS
    SELECT reviews.rowid AS ord, user_keys.key AS "user", item_keys.key AS item, time, rating
    FROM reviews JOIN item_keys ON item = item_keys.id JOIN user_keys ON "user" = user_keys.id
    WHERE problem IS NULL`);
  const { kept, good } = await engine.row<{ kept: number; good: number }>(
    sql`SELECT (SELECT count(*) FROM log) AS kept, (SELECT count(*) FROM reviews WHERE problem IS NULL) AS good`,
  );
  if (kept === 0) {
    throw new UserError(
      `Cannot make a dataset: no review is left after the title filter, ${good} went in. Check that --meta belongs to ` +
        `--reviews, or keep items without a title with --title-filter off`,
    );
  }
  await engine.run(sql`DROP TABLE reviews`);
}

/**
 * Numbers what `core` left. Users by first appearance in the input; items by first appearance in the walk over users in
 * that order, each in time order (ties in input order). Makes `interactions` (user, item INTEGER from 0; time; rating)
 * in walk order, `users` and `items` (number INTEGER, id VARCHAR), and drops `core`.
 * Source: MiniOneRec (arXiv:2510.24431), its Amazon preprocessing.
 */
export async function numberLog(engine: Engine): Promise<void> {
  await engine.run(sql`CREATE TABLE user_numbers AS
    SELECT "user" AS key, (row_number() OVER (ORDER BY min(ord)) - 1)::INTEGER AS number FROM core GROUP BY "user"`);
  // A table made in an order keeps it: rowid is the place in the walk.
  await engine.run(sql`CREATE TABLE walk AS
    SELECT number AS "user", item, time, rating FROM core JOIN user_numbers ON "user" = key
    ORDER BY number, time, ord`);
  await engine.run(sql`DROP TABLE core`);
  await engine.run(sql`CREATE TABLE item_numbers AS
    SELECT item AS key, (row_number() OVER (ORDER BY min(rowid)) - 1)::INTEGER AS number FROM walk GROUP BY item`);
  await engine.run(sql`CREATE TABLE interactions AS
    SELECT "user", number AS item, time, rating FROM walk JOIN item_numbers ON item = key ORDER BY walk.rowid`);
  await engine.run(sql`DROP TABLE walk`);
  await engine.run(sql`CREATE TABLE users AS
    SELECT number, id FROM user_numbers JOIN user_keys USING (key) ORDER BY number`);
  await engine.run(sql`CREATE TABLE items AS
    SELECT number, id FROM item_numbers JOIN item_keys USING (key) ORDER BY number`);
}
