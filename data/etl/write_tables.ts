import { join } from "node:path";
import { splits } from "../dataset.ts";
import type { Engine } from "./read/engine.ts";
import { fingerprint } from "./read/input_files.ts";
import { samplesOf } from "./make_samples.ts";
import { type Sql, sql } from "./read/sql.ts";

/** Writes the dataset's tables as Parquet into a folder; gives back the SHA-256 of each file. */
export async function writeTables(engine: Engine, folder: string): Promise<Record<string, string>> {
  const tables: Record<string, Sql> = {
    items: sql`SELECT * FROM catalogue`,
    users: sql`SELECT * FROM user_table`,
    interactions: sql`SELECT "user", item, time, rating FROM interactions`,
    ...Object.fromEntries(splits.map((split) => [split, samplesOf(split)])),
  };
  const hashes: Record<string, string> = {};
  for (const [table, query] of Object.entries(tables)) {
    const file = `${table}.parquet`;
    await engine.run(sql`COPY (${query}) TO ${join(folder, file)} (FORMAT parquet, COMPRESSION snappy)`);
    hashes[file] = await fingerprint(join(folder, file));
  }
  return hashes;
}
