import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { reportCatalogue } from "../../../sid/report/catalogue.ts";
import { plainSid } from "../../../sid/report/html_charts.ts";
import { htmlReport } from "../../../sid/report/html.ts";
import { formatSid } from "../../../sid/tokens.ts";

/** A catalogue of `items` whose first code is their corner, two of which share a SID; titles may be set. */
function catalogue(items: number, title = (item: number) => `Blue tape ${item}`) {
  const random = new PhiloxStream(1, "catalogue");
  const data = Float32Array.from(
    { length: items * 3 },
    (_, i) => i % 3 === 0 ? Math.floor(i / 3) % 4 : random.normal(),
  );
  const codes = Array.from({ length: items }, (_, item) => [item % 4, Math.floor(item / 4)]);
  const coded = codes.map(formatSid);
  coded[4] = coded[0];
  return reportCatalogue({
    embeddings: { data, rows: items, dim: 3 },
    coded,
    sids: codes.map(formatSid),
    codebookSizes: [4, Math.ceil(items / 4)],
    errors: [0.5, 0.1],
    titles: codes.map((_, item) => title(item)),
    labels: { kind: "category", values: codes.map(([first]) => `category ${first}`) },
  });
}

function page(report: ReturnType<typeof catalogue>): string {
  return htmlReport({
    method: "rqkmeans",
    settings: { levels: 2, seed: 42 },
    embeddings: "items.npy",
    policy: "nearest-free",
    zeroRows: { "bought.npy": [3] },
    notes: {},
    ...report,
  });
}

Deno.test("reportCatalogue() lists who collided, who moved and what the codes leave over", () => {
  const report = catalogue(40);
  assert.deepEqual([report.beforePolicy.distinct, report.distinct, report.changed], [39, 40, 1]);
  assert.deepEqual(report.collisionsBefore, [{
    sid: "<a_0><b_0>",
    size: 2,
    items: [{ item: 0, title: "Blue tape 0" }, { item: 4, title: "Blue tape 4" }],
  }]);
  assert.deepEqual(report.collisionsAfter, []);
  assert.deepEqual(report.moved, [{ item: 4, title: "Blue tape 4", from: "<a_0><b_0>", to: "<a_0><b_1>" }]);
  assert.deepEqual(report.codewordItems[0], [10, 10, 10, 10]);
  assert.deepEqual(report.purity?.prefixes.map(({ codes, purity }) => [codes, purity]), [[1, 1]]);
  assert.ok(Math.abs(report.unexplained[0] / report.unexplained[1] - 5) < 1e-9);
});

Deno.test("reportCatalogue() gives the same report twice, with 8 examples and the nearest 3 items of each group", () => {
  const report = catalogue(60);
  assert.deepEqual(catalogue(60), report);
  assert.equal(report.neighbours.length, 8);
  for (const { item, groups } of report.neighbours) {
    assert.deepEqual(groups.map(({ shared, count, nearest }) => [shared, count, nearest.length]), [[
      1,
      14,
      3,
    ]]);
    assert.ok(groups[0].nearest.every((near) => near.item % 4 === item % 4));
  }
});

Deno.test("htmlReport() is one file that fetches and runs nothing", () => {
  const html = page(catalogue(40));
  assert.match(html, /^<!doctype html>/);
  assert.doesNotMatch(html, /<script|<link|<img|@import|url\(|https?:\/\//);
  assert.match(html, /<svg class="map"/);
  assert.match(html, /1 items have no vector in bought\.npy, such as 3/);
});

Deno.test("htmlReport() closes every tag that it opens", () => {
  const open: string[] = [];
  for (
    const [, close, name, selfClosed] of page(catalogue(40)).matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)
  ) {
    if (selfClosed || ["meta", "br"].includes(name)) continue;
    if (close) assert.equal(open.pop(), name);
    else open.push(name);
  }
  assert.deepEqual(open, []);
});

Deno.test("htmlReport() shows titles as text, whatever they hold", () => {
  const html = page(catalogue(40, () => '<script>alert("1")</script> & "quotes"'));
  assert.doesNotMatch(html, /<script/);
  assert.match(html, /&lt;script&gt;alert\(&quot;1&quot;\)&lt;\/script&gt; &amp; &quot;quotes&quot;/);
});

Deno.test("htmlReport() draws ten thousand items in less than a megabyte", () => {
  const html = page(catalogue(10_000));
  assert.ok(html.length < 1e6, `${html.length}`);
  assert.equal(html.match(/h0/g)?.length, 10_000);
});

Deno.test("plainSid() writes SIDs for people", () => {
  assert.equal(plainSid("<a_1><b_20>"), "a_1 b_20");
});
