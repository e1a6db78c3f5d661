import assert from "node:assert/strict";
import { costChart, countTicks, intervalChart, niceScale, timeTicks } from "../../tasks/_compare/charts.ts";
import { comparePage } from "../../tasks/_compare/html.ts";
import type { SystemResult, SystemsReport } from "../../tasks/_compare/report.ts";
import { markdown } from "../../tasks/_compare/tables.ts";
import fc from "../property.ts";

const one = (mean: number) => ({ seeds: 1, mean, deviation: null, ci95: null });

function report(names: string[]): SystemsReport {
  const difference = {
    baseline: 0.1,
    value: 0.2,
    difference: 0.1,
    ci95: [0.05, 0.15] as [number, number],
    p: 0.001,
  };
  const systems = names.map((name, i): SystemResult => ({
    name,
    hr: { 10: one(0.1 + i / 10) },
    ndcg: { 10: { seeds: 2, mean: 0.1 + i / 10, deviation: 0.01, ci95: [0.05, 0.15 + i / 10] } },
    parameters: i === 0 ? null : one(1000 * i),
    trainingSeconds: one(60),
    usersPerSecond: one(50),
    evaluations: [0.1, 0.2].map((value, seed) => ({
      folder: `eval/${name}-${seed}`,
      run: "run",
      seed,
      checkpoint: "",
      hr: { 10: value },
      ndcg: { 10: value },
      parameters: null,
      trainingSeconds: 60,
      usersPerSecond: 50,
      adapter: null,
    })),
    comparison: i === 0 ? null : {
      users: 2,
      hr: { 10: difference },
      ndcg: { 10: difference },
      direction: "better",
      verdict: `${name} is better`,
    },
  }));
  const baseline = names[0];
  return {
    baseline,
    split: "test",
    users: 2,
    dataset: "shop",
    credit: "string",
    ks: [10],
    seed: 1,
    systems,
    notes: ["note"],
  };
}

Deno.test("comparePage() is one file that fetches and runs nothing and shows names as text", () => {
  const html = comparePage(report(["counts", '<script>alert("1")</script> & co']));
  assert.doesNotMatch(html, /<script|<link|<img|@import|url\(|https?:\/\//);
  assert.match(html, /&lt;script&gt;alert\(&quot;1&quot;\)&lt;\/script&gt; &amp; co/);
  const open: string[] = [];
  for (const [, close, name, selfClosed] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
    if (selfClosed || name === "meta") continue;
    if (close) assert.equal(open.pop(), name);
    else open.push(name);
  }
  assert.deepEqual(open, []);
  // Of two systems one has no parameters to show.
  assert.deepEqual(html.split("<figure>").slice(1).map((part) => part.match(/<circle/g)!.length), [1, 2, 2]);
});

Deno.test("markdown() keeps its tables whole whatever systems are called", () => {
  const lines = markdown(report(["a|b", "*c*"])).split("\n");
  const columns = (line: string) => line.replaceAll("\\|", "").split("|").length - 2;
  const table = lines.filter((line) => line.startsWith("| ") && line.includes("users/s"));
  assert.equal(table.length, 2);
  assert.ok(
    lines.some((line) => line.startsWith("| a\\|b (baseline) | 2 | 0.1000 |") && columns(line) === 7),
  );
  assert.ok(lines.some((line) => line.startsWith("| \\*c\\* | HR@10 | +0.1000 |")));
});

Deno.test("intervalChart() puts bars and marks where their values are", () => {
  const chart = intervalChart("NDCG@10", [
    { name: "a", value: 0.15, ci95: [0.1, 0.2], dots: [0.12], text: "", kind: "" },
    { name: "b", value: 0.3, ci95: null, dots: [], text: "", kind: "base" },
  ], true);
  assert.match(chart, /<line class="bar" x1="33\.33%" x2="66\.67%"/);
  assert.match(chart, /<circle cx="40\.00%"[^>]*\/><line class="middle" x1="50\.00%"/);
  assert.match(
    chart,
    /class="row base".*<line class="zero" x1="0\.00%"[^>]*><line class="middle" x1="100\.00%"/,
  );
  assert.doesNotMatch(chart, /style=/, "strict policies refuse styles in the page");
});

Deno.test("niceScale() encloses its values in two to six steps that their digits tell apart", () => {
  const value = fc.double({ min: -100, max: 100, noNaN: true });
  fc.assert(fc.property(value, value, (a, b) => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    if (high - low < 1e-6 * Math.max(1, Math.abs(high))) return;
    const scale = niceScale(low, high);
    assert.ok(scale.low <= low + 1e-6 && scale.high >= high - 1e-6, `${low} ${high}`);
    assert.ok(scale.ticks.length >= 2 && scale.ticks.length <= 6, `${scale.ticks}`);
    assert.equal(new Set(scale.ticks.map((tick) => tick.toFixed(scale.digits))).size, scale.ticks.length);
  }));
  assert.deepEqual(niceScale(0.2, 0.2).ticks.length >= 2, true);
});

Deno.test("countTicks() and timeTicks() are round numbers with room for their labels", () => {
  assert.deepEqual(countTicks(5, 6).map(({ label }) => label), ["100K", "1M"]);
  assert.deepEqual(countTicks(1.2, 2).map(({ label }) => label), ["20", "50", "100"]);
  assert.deepEqual(timeTicks(1.7, 3.6).map(({ label }) => label), ["1 min", "5 min", "20 min", "1 h"]);
  assert.match(
    costChart("cost", "time", [{ number: 1, name: "a", cost: 60, quality: 0.1 }]),
    /<title>a: 1m00s, 0\.1000<\/title><circle/,
  );
});
