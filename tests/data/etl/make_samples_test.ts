import assert from "node:assert/strict";
import { splits } from "../../../data/dataset.ts";
import type { SplitKind } from "../../../data/corpus.ts";
import type { Engine } from "../../../data/etl/read/engine.ts";
import { numberLog } from "../../../data/etl/log.ts";
import { makeSamples, samplesOf } from "../../../data/etl/make_samples.ts";
import { name, sql } from "../../../data/etl/read/sql.ts";
import { insertLog, type Review, withEngine } from "./fixture.ts";
import { referenceSamples, referenceWalk, type SampleRow } from "./reference.ts";
import fc from "../../property.ts";

/** Numbers `log` as it is and makes its samples: ids of users and items, samples by split. */
async function samplesFrom(engine: Engine, kind: SplitKind, maxHistory: number) {
  await engine.run(sql`CREATE TABLE core AS FROM log`);
  for (const table of ["user_keys", "item_keys"]) {
    await engine.run(
      sql`CREATE TABLE ${
        name(table)
      } AS SELECT key::INTEGER AS key, key::VARCHAR AS id FROM range(5000) AS keys(key)`,
    );
  }
  await numberLog(engine);
  await makeSamples(engine, kind, maxHistory);
  const ids = async (table: string) =>
    (await engine.rows<{ id: string }>(sql`SELECT id FROM ${name(table)} ORDER BY number`)).map(({ id }) =>
      Number(id)
    );
  const rows = await Promise.all(splits.map(async (split) => {
    const found = await engine.rows<{ user: number; history: number[]; item: number }>(samplesOf(split));
    return found.map(({ user, history, item }) => [user, history, item] as SampleRow);
  }));
  return {
    users: await ids("users"),
    items: await ids("items"),
    samples: Object.fromEntries(splits.map((split, s) => [split, rows[s]])),
  };
}

async function dropAll(engine: Engine): Promise<void> {
  for (
    const { table_name, table_type } of await engine.rows<{ table_name: string; table_type: string }>(
      sql`SELECT table_name, table_type FROM information_schema.tables`,
    )
  ) {
    await engine.run(
      table_type === "VIEW" ? sql`DROP VIEW ${name(table_name)}` : sql`DROP TABLE ${name(table_name)}`,
    );
  }
}

function expected(reviews: readonly Review[], kind: SplitKind, maxHistory: number) {
  const { users, items, walks } = referenceWalk(reviews);
  return { users, items, samples: referenceSamples(walks, kind, maxHistory) };
}

Deno.test("numberLog() and makeSamples() give what plain loops give, ties of time included", async () => {
  const review = fc.record({ user: fc.nat(4), item: fc.nat(6), time: fc.nat(5) });
  await withEngine(async (engine) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(review, { minLength: 1, maxLength: 30 }),
        fc.constantFrom<SplitKind>("time", "leave-one-out"),
        fc.integer({ min: 1, max: 4 }),
        async (reviews, kind, maxHistory) => {
          await dropAll(engine);
          await insertLog(engine, reviews);
          const found = await samplesFrom(engine, kind, maxHistory);
          assert.deepEqual(found, expected(reviews, kind, maxHistory));
        },
      ),
      { numRuns: 40 },
    );
  });
});

Deno.test("makeSamples() keeps the order of a log that fills several row groups on two threads", async () => {
  await withEngine(async (engine) => {
    await engine.replace(
      "log",
      sql`SELECT ord, (ord % 4001)::INTEGER AS "user", (hash(ord) % 997)::INTEGER AS item,
        (hash(-ord) % 1000)::BIGINT AS time, 0::INTEGER AS fraction, 5.0::DOUBLE AS rating,
        CAST(NULL AS VARCHAR) AS context FROM range(140000) AS places(ord)`,
    );
    const reviews = await engine.rows<{ user: number; item: number; time: number }>(
      sql`SELECT "user", item, time FROM log ORDER BY ord`,
    );
    const found = await samplesFrom(engine, "time", 10);
    const wanted = expected(reviews, "time", 10);
    assert.deepEqual([found.users, found.items], [wanted.users, wanted.items]);
    for (const split of splits) {
      const texts = wanted.samples[split].map(String);
      assert.equal(found.samples[split].length, texts.length);
      assert.equal(found.samples[split].findIndex((row, i) => String(row) !== texts[i]), -1, split);
    }
  });
});
