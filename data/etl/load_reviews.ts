import type { LoadedTable } from "./read/bad_lines.ts";
import type { Engine } from "./read/engine.ts";
import { tableQuery } from "./read/table_query.ts";
import type { ReviewTable } from "./source.ts";
import { name, type Sql, sql } from "./read/sql.ts";

/**
 * Makes table `reviews` (user, item VARCHAR; time BIGINT seconds; rating DOUBLE; problem VARCHAR, NULL for a good
 * line), its rowid the place in the input. All files are read as `table` says.
 */
export async function loadReviews(
  engine: Engine,
  files: readonly string[],
  table: ReviewTable,
): Promise<LoadedTable> {
  const { format, user, item, time, rating } = table;
  const columns = [...new Set([user, item, time?.column, rating])].filter((column) => column !== undefined);
  const rejects = format.kind === "csv" ? "review_rejects" : undefined;
  const query = async (files: readonly string[], rejects?: string) =>
    reviewQuery(
      table,
      await tableQuery(engine, { files, format, columns, required: columns, as: "VARCHAR", rejects }),
    );
  await engine.run(sql`CREATE TABLE reviews AS ${await query(files, rejects)}`);
  const reread = (file: string) => query([file]);
  return { table: "reviews", files, format, rejects, reread };
}

function reviewQuery({ user, item, time, rating }: ReviewTable, lines: Sql): Sql {
  const timeProblem = time && sql`WHEN time IS NULL THEN ${`no time in ${time.column}`}`;
  const ratingProblem = rating &&
    sql`WHEN rating_text <> '' AND NOT coalesce(isfinite(rating), FALSE) THEN ${`no number in ${rating}`}`;
  return sql`
    SELECT "user", item, time, rating, CASE
      WHEN "user" IS NULL THEN ${`no user in ${user}`}
      WHEN item IS NULL THEN ${`no item in ${item}`}
      ${timeProblem || sql``}
      ${ratingProblem || sql``}
    END AS problem
    FROM (
      SELECT
        nullif(${name(user)}, '') AS "user",
        nullif(${name(item)}, '') AS item,
        ${time?.value ?? sql`CAST(NULL AS BIGINT)`} AS time,
        ${rating ? name(rating) : sql`CAST(NULL AS VARCHAR)`} AS rating_text,
        TRY_CAST(rating_text AS DOUBLE) AS rating
      FROM (${lines})
    )`;
}
