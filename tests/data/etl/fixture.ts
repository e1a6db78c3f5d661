// Small raw logs, the dataset they should give, and a way to get it from the code.
import {
  INTERACTION_TABLE,
  ITEM_TABLE,
  SAMPLE_TABLE,
  USER_TABLE,
} from "../../../data/formats/genrec/layout.ts";
import { buildDataset, type DatasetManifest } from "../../../data/etl/build_dataset.ts";
import { EtlConfig } from "../../../data/etl/config.ts";
import { Engine } from "../../../data/etl/read/engine.ts";
import { commas, type Sql, sql } from "../../../data/etl/read/sql.ts";
import { decodeParquet } from "../../../base/files/parquet/decode.ts";
import type { ParquetTable, TableType } from "../../../base/files/parquet/table.ts";

/** Runs `use` with an engine on a folder that is removed afterwards. */
export async function withEngine(use: (engine: Engine) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    using engine = await Engine.open({ folder, memory: "500MB", threads: 2 });
    await use(engine);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** One review of a small log; `user` and `item` are keys. */
export interface Review {
  user: number;
  item: number;
  time: number;
}

/** Makes table `log` of reviews in this order. */
export async function insertLog(engine: Engine, reviews: readonly Review[]): Promise<void> {
  const rows: Sql[] = reviews.map(({ user, item, time }, ord) => sql`(${ord}, ${user}, ${item}, ${time}, 5)`);
  await engine.replace(
    "log",
    sql`SELECT ord::BIGINT AS ord, "user"::INTEGER AS "user", item::INTEGER AS item, time::BIGINT AS time,
      0::INTEGER AS fraction, rating::DOUBLE AS rating, CAST(NULL AS VARCHAR) AS context
    FROM (VALUES ${
      commas([...rows, sql`(-1, 0, 0, 0, 0)`])
    }) AS reviews(ord, "user", item, time, rating) WHERE ord >= 0`,
  );
}

/** Builds the dataset `out/` in a folder from flags and gives back what it says of itself and its log lines. */
export async function build(
  dir: string,
  flags: Partial<EtlConfig>,
): Promise<{ manifest: DatasetManifest; lines: string[] }> {
  const lines: string[] = [];
  const inside = (paths: string[] = []) =>
    paths.map((path) => /^\/|:\/\//.test(path) ? path : `${dir}/${path}`);
  const config = EtlConfig.parse({
    threads: 1, // logs of a few lines are read by one; the others would only wait
    ...flags,
    reviews: inside(flags.reviews),
    meta: inside(flags.meta),
    out: `${dir}/out`,
  });
  return { manifest: await buildDataset(config, { log: (line) => lines.push(line) }), lines };
}

/** The tables of `out/` in a folder, column by column. Without the worker of a reader, whose start takes longer than they. */
export async function readTables(dir: string) {
  const table = async <const T extends TableType>(name: string, type: T): Promise<ParquetTable<T>> => {
    const path = `${dir}/out/${name}.parquet`;
    return (await decodeParquet((await Deno.readFile(path)).buffer, path, type)).table;
  };
  const items = await table("items", ITEM_TABLE);
  const users = await table("users", USER_TABLE);
  const interactions = await table("interactions", INTERACTION_TABLE);
  const [train, valid, test] = [
    await table("train", SAMPLE_TABLE),
    await table("valid", SAMPLE_TABLE),
    await table("test", SAMPLE_TABLE),
  ];
  return { items, users, interactions, samples: { train, valid, test } };
}

/** Samples of a split as [user, history, target]. */
export function rowsOf({ user, history, item }: { user: number[]; history: number[][]; item: number[] }) {
  return user.map((one, row) => [one, history[row], item[row]] as const);
}

/** Lines of JSON. */
export function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value) + "\n").join("");
}

/** The worked example of k = 2: u1 A 1, u1 B 2, u2 A 3, u2 B 4, u2 C 5, u3 C 6, u3 D 7, as Amazon 2018 writes it. */
export const WORKED_EXAMPLE = {
  "reviews.json": jsonLines(
    ["u1 A 1", "u1 B 2", "u2 A 3", "u2 B 4", "u2 C 5", "u3 C 6", "u3 D 7"].map((line) => {
      const [reviewerID, asin, time] = line.split(" ");
      return {
        reviewerID,
        asin,
        overall: 4,
        unixReviewTime: Number(time),
        reviewText: "works",
        summary: "ok",
      };
    }),
  ),
  "meta.json": jsonLines([..."ABCD"].map((asin) => ({ asin, title: `Item ${asin}` }))),
};

/** Flags that build {@link WORKED_EXAMPLE}. */
export const WORKED_FLAGS: Partial<EtlConfig> = {
  dataset: "amazon18",
  reviews: ["reviews.json"],
  meta: ["meta.json"],
  userK: 2,
  itemK: 2,
  allowEmpty: true,
};
