import assert from "node:assert/strict";
import { commas, name, sql } from "../../../../data/etl/read/sql.ts";
import { withEngine } from "../fixture.ts";

Deno.test("sql quotes values by their type", () => {
  const query = sql`SELECT ${"it's"}, ${1.5}, ${null}, ${true}, ${["a", "b'"]}, ${name('we"ird')}`;
  assert.equal(query.text, `SELECT 'it''s', 1.5, NULL, TRUE, ['a', 'b'''], "we""ird"`);
  assert.equal(commas([sql`a`, sql`${2}`]).text, "a, 2");
});

Deno.test("sql refuses numbers that have no literal", () => {
  assert.throws(() => sql`SELECT ${NaN}`, /Cannot write NaN in SQL: expected a finite number/);
});

Deno.test("sql passes texts and column names through the engine unchanged, however they look", async () => {
  const nasty = `'); DROP TABLE log; --"\\'`;
  await withEngine(async (engine) => {
    assert.deepEqual(await engine.row(sql`SELECT ${nasty} AS ${name(nasty)}`), { [nasty]: nasty });
  });
});
