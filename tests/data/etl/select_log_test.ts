import assert from "node:assert/strict";
import type { Engine } from "../../../data/etl/read/engine.ts";
import { kCore, type Selection, selectLog } from "../../../data/etl/select_log.ts";
import { sql } from "../../../data/etl/read/sql.ts";
import { parseDate } from "../../../data/etl/time_window.ts";
import { insertLog, type Review, withEngine } from "./fixture.ts";
import { referenceCore } from "./reference.ts";
import fc from "../../property.ts";

const review = fc.record({ user: fc.nat(6), item: fc.nat(5), time: fc.nat(9) }, { noNullPrototype: true });

/** What `core` holds, in input order. */
async function coreOf(engine: Engine): Promise<Review[]> {
  return await engine.rows<Review & Record<string, number>>(
    sql`SELECT "user", item, time FROM core ORDER BY ord`,
  );
}

Deno.test("kCore() gives what plain loops give, whatever the two thresholds", async () => {
  await withEngine(async (engine) => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }));
    const reviews = fc.array(review, { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(reviews, sizes, async (reviews, [userK, itemK]) => {
        await insertLog(engine, reviews);
        await engine.replace("core", sql`FROM log`);
        await kCore(engine, { userK, itemK });
        assert.deepEqual(await coreOf(engine), referenceCore(reviews, userK, itemK));
      }),
      { numRuns: 60 },
    );
  });
});

const seconds = (date: string) => parseDate(date)!;
const everything: Selection = {
  userK: 1,
  itemK: 1,
  window: { start: null, end: null },
  endInclusive: false,
  expand: false,
};

/** Three reviews of one user: on the first instant of May, just before June, and on its first instant. */
const may = [seconds("2016-05"), seconds("2016-06") - 1, seconds("2016-06")]
  .map((time) => ({ user: 0, item: 0, time }));

Deno.test("selectLog() counts a window's first instant and not its end's, unless asked to as MiniOneRec does", async () => {
  await withEngine(async (engine) => {
    await insertLog(engine, may);
    const window = { start: seconds("2016-05"), end: seconds("2016-06") };
    await selectLog(engine, { ...everything, window }, () => {});
    assert.deepEqual(await coreOf(engine), may.slice(0, 2));
    await selectLog(engine, { ...everything, window, endInclusive: true }, () => {});
    assert.deepEqual(await coreOf(engine), may);
  });
});

Deno.test("selectLog() cuts the window before it takes the core", async () => {
  await withEngine(async (engine) => {
    await insertLog(engine, may);
    const window = { start: null, end: seconds("2016-06") };
    const { steps } = await selectLog(engine, { ...everything, window, userK: 2 }, () => {});
    assert.deepEqual(steps, [
      { step: "window ... to 2016-06-01", reviews: 2, users: 1, items: 1, lost: 1 },
      { step: "core of 2 a user, 1 an item", reviews: 2, users: 1, items: 1, lost: 0 },
    ]);
    await assert.rejects(selectLog(engine, { ...everything, window, userK: 3 }, () => {}), {
      name: "UserError",
      message: "Cannot make a dataset: no review is left after core of 3 a user, 1 an item, 2 went in. " +
        "Lower --user-k and --item-k, or widen the window",
    });
  });
});

Deno.test("selectLog() with expansion starts a year earlier while items are few, and takes 1996 as it is", async () => {
  await withEngine(async (engine) => {
    await insertLog(
      engine,
      [1995, 1996, 1997, 1999].map((year, item) => ({ user: 0, item, time: seconds(`${year}-06`) })),
    );
    const window = { start: seconds("1998-01"), end: null };
    const first = await selectLog(engine, { ...everything, window }, () => {});
    assert.deepEqual([first.window, (await coreOf(engine)).length], [window, 1]);
    const lines: string[] = [];
    const last = await selectLog(
      engine,
      { ...everything, window, expand: true },
      ({ step }) => lines.push(step),
    );
    assert.deepEqual([last.window.start, (await coreOf(engine)).length], [seconds("1996-01"), 3]);
    assert.deepEqual(lines.filter((line) => line.startsWith("window")), [
      "window 1998-01-01 to ...",
      "window 1997-01-01 to ...",
      "window 1996-01-01 to ...",
    ]);
    assert.deepEqual(last.steps.map(({ step }) => step), ["window 1996-01-01 to ...", "1-core"]);
  });
});

Deno.test("selectLog() with enough items does not expand", async () => {
  await withEngine(async (engine) => {
    const late = Array.from({ length: 3000 }, (_, item) => ({ user: 0, item, time: seconds("2000-06") }));
    await insertLog(engine, [{ user: 0, item: 0, time: seconds("1999-06") }, ...late]);
    const window = { start: seconds("2000-01"), end: null };
    const selected = await selectLog(engine, { ...everything, window, expand: true }, () => {});
    assert.deepEqual(selected.window, window);
    assert.equal(selected.steps.at(-1)!.reviews, 3000);
  });
});

Deno.test("selectLog() names the window that left nothing and the time that the reviews span", async () => {
  await withEngine(async (engine) => {
    await insertLog(engine, may);
    const window = { start: seconds("2020-01"), end: seconds("2021-01") };
    await assert.rejects(selectLog(engine, { ...everything, window }, () => {}), {
      name: "UserError",
      message: "Cannot make a dataset: no review is left after window 2020-01-01 to 2021-01-01, 3 went in. " +
        "The reviews are from 2016-05-01 to 2016-06-01: choose --start and --end to fit",
    });
  });
});
