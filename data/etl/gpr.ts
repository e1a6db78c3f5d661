import type { Engine } from "./read/engine.ts";
import { sql } from "./read/sql.ts";

/**
 * Adds to users and items what MiniOneRec's GPR variant derives, from the real ratings, prices and brands (its random
 * context tokens are left out: they carry no information; those of a column are `--context`).
 *
 * Users: `user_token` by mean rating r: `[USER_HIGH_RATING]` for r > 4.5, `[USER_MID_RATING]` for r > 3.5, else
 * `[USER_LOW_RATING]`. Items: `item_type` "I" (ad) where price > 50 or a brand is known, else "O" (organic);
 * `final_value` = ln(1 + price) + ln(1 + interactions), min-max scaled over all items to [0, 1], 0.5 where all are equal.
 */
export async function addGprAttributes(engine: Engine): Promise<void> {
  await engine.replace(
    "user_table",
    sql`SELECT user_table.* REPLACE (CASE WHEN mean IS NOT NULL THEN CAST(json_object('user_token', CASE
        WHEN mean > 4.5 THEN '[USER_HIGH_RATING]' WHEN mean > 3.5 THEN '[USER_MID_RATING]' ELSE '[USER_LOW_RATING]'
      END) AS VARCHAR) END AS attributes)
    FROM user_table JOIN (SELECT "user", avg(rating) AS mean FROM interactions GROUP BY "user") USING ("user")
    ORDER BY "user"`,
  );
  await engine.replace(
    "catalogue",
    sql`SELECT catalogue.* REPLACE (CAST(json_merge_patch(coalesce(attributes, '{}'), json_object(
        'item_type', if(price > 50 OR brand <> 'Unknown', 'I', 'O'),
        'final_value', if(high = low, 0.5, (raw - low) / (high - low))
      )) AS VARCHAR) AS attributes)
    FROM catalogue JOIN (
      SELECT item, ln(1 + coalesce(price, 0)) + ln(1 + bought) AS raw, min(raw) OVER () AS low, max(raw) OVER () AS high
      FROM catalogue JOIN (SELECT item, count(*) AS bought FROM interactions GROUP BY item) USING (item)
    ) USING (item)
    ORDER BY item`,
  );
}
