import { join } from "node:path";
import { sha256 } from "../../../base/files/sha256.ts";
import { splits } from "../../../data/dataset.ts";
import { Engine } from "../../../data/etl/read/engine.ts";
import { type Sql, sql } from "../../../data/etl/read/sql.ts";

/** Purchases of a user in the mean. */
const PURCHASES = 16;
const MOST_HISTORY = 50;

/**
 * Writes a dataset of about so many interactions: users with 4 to 28 purchases, items drawn by a power law, leave-one-out,
 * histories of up to 50 items.
 */
export async function generateDataset(
  folder: string,
  interactions: number,
  items = Math.round(interactions / 20),
): Promise<void> {
  const users = Math.round(interactions / PURCHASES);
  const work = await Deno.makeTempDir();
  try {
    await Deno.mkdir(folder, { recursive: true });
    using engine = await Engine.open({ folder: work, memory: "1GB", threads: 2 });
    // Finer than there are items, or some would never be drawn.
    const share = (seed: number) => sql`((hash(u * 1000 + place + ${seed}) % 1000000007) / 1000000007.0)`;
    await engine.run(sql`CREATE TABLE sequences AS
      SELECT u::INTEGER AS "user",
        list_transform(places, place ->
          least(floor(${items} * pow(${share(7)}, 2)), ${items - 1})::INTEGER) AS items,
        list_transform(places, place -> 1500000000 + place * 86400 + floor(${
      share(11)
    } * 80000)::BIGINT) AS times
      FROM (SELECT u, range(4 + (hash(u) % 25)::BIGINT) AS places FROM range(${users}) AS r(u))`);
    const samples = (first: Sql, last: Sql) =>
      sql`SELECT "user", list_slice(items, greatest(1, place - ${MOST_HISTORY - 1}), place) AS history,
        items[place + 1] AS item, times[place + 1] AS time, NULL::VARCHAR AS attributes
      FROM (SELECT *, unnest(range(${first}, ${last})) AS place FROM sequences)`;
    const tables: Record<string, Sql> = {
      items:
        sql`SELECT i::INTEGER AS item, 'B' || i AS id, 'Masking tape no. ' || i AS title, NULL::VARCHAR AS description,
        'Acme' AS brand, ['Tools', 'Tape'] AS categories, 9.5::DOUBLE AS price, NULL::VARCHAR AS features,
        NULL::VARCHAR AS attributes FROM range(${items}) AS r(i)`,
      users:
        sql`SELECT u::INTEGER AS "user", 'A' || u AS id, NULL::VARCHAR AS attributes FROM range(${users}) AS r(u)`,
      interactions:
        sql`SELECT "user", unnest(items) AS item, unnest(times) AS time, 5::DOUBLE AS rating FROM sequences`,
      train: samples(sql`1`, sql`len(items) - 2`),
      valid: samples(sql`len(items) - 2`, sql`len(items) - 1`),
      test: samples(sql`len(items) - 1`, sql`len(items)`),
    };
    const files: Record<string, string> = {}, statistics: Record<string, number> = {};
    for (const name of ["items", "users", "interactions", ...splits]) {
      const file = `${name}.parquet`;
      await engine.run(
        sql`COPY (${tables[name]}) TO ${join(folder, file)} (FORMAT parquet, COMPRESSION snappy)`,
      );
      files[file] = await sha256(join(folder, file));
      const [{ rows }] = await engine.rows(sql`SELECT count(*) AS rows FROM ${join(folder, file)}`);
      statistics[name] = Number(rows);
    }
    const manifest = {
      format: "genrec-dataset",
      version: 1,
      name: `generated-${interactions}`,
      source: "bench/speed/beyond_memory/dataset.ts",
      license: "none",
      split: "leave-one-out",
      maxHistory: MOST_HISTORY,
      files,
      statistics,
    };
    await Deno.writeTextFile(join(folder, "dataset.json"), JSON.stringify(manifest));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
