import assert from "node:assert/strict";
import { mayExpand, parseDate, startYearEarlier, type TimeWindow } from "../../../data/etl/time_window.ts";

Deno.test("parseDate() takes months and days as midnight UTC", () => {
  assert.equal(parseDate("2016-10"), Date.parse("2016-10-01T00:00:00Z") / 1000);
  assert.equal(parseDate("2016-02-29"), Date.parse("2016-02-29T00:00:00Z") / 1000);
  assert.equal(parseDate(""), null);
});

Deno.test("parseDate() refuses dates that are none", () => {
  for (const text of ["2016", "2016-13", "2015-02-29", "10/2016", "2016-10-31T00:00"]) {
    assert.throws(() => parseDate(text), RangeError, text);
  }
});

Deno.test("startYearEarlier() goes back to 1996 and mayExpand() stops there", () => {
  let window: TimeWindow = { start: parseDate("1998-10"), end: null };
  const years = [];
  for (; mayExpand(window); window = startYearEarlier(window)) years.push(window.start);
  assert.deepEqual(years, [parseDate("1998-10"), parseDate("1997-10")]);
  assert.equal(window.start, parseDate("1996-10"));
  assert.equal(mayExpand({ start: null, end: null }), false);
});
