import type { Engine } from "./read/engine.ts";
import { sql } from "./read/sql.ts";

/** How programs write a value that is not there. */
const MISSING = ["nan", "null", "none", "n/a", "na", "<na>", "nil", "undefined", "-1"];
/** Share of the log from which one is worth a word, where it is no ordinary id. */
const MANY = 0.001;

/**
 * What to say of users and items in `log` whose id is what programs write where there is none, such as pandas' nan: they
 * would all be one user, or one item. Undefined where there are none, or too few to matter.
 */
export async function missingIdsNote(engine: Engine): Promise<string | undefined> {
  const found = await engine.rows<{ what: string; id: string; events: number; total: number }>(sql`
    SELECT what, id, count(*) AS events, (SELECT count(*) FROM log) AS total FROM (
      SELECT 'user' AS what, users.id FROM log JOIN user_keys AS users ON log."user" = users.key
      UNION ALL SELECT 'item', items.id FROM log JOIN item_keys AS items ON log.item = items.key
    ) WHERE list_contains(string_split(${
    MISSING.join("|")
  }, '|'), lower(id)) GROUP BY ALL ORDER BY events DESC, what, id`);
  const many = found.filter(({ events, total }) => Number(events) >= MANY * Number(total));
  if (many.length === 0) return;
  const told = many.map(({ what, id, events }) =>
    `${what} ${JSON.stringify(id)} of ${Number(events).toLocaleString("en")} interactions`
  );
  return `Warning: ${
    told.join(", ")
  }: programs write this where an id is missing, and here all of them are one. Leave ` +
    "such lines out of the file unless it is an id";
}
