import assert from "node:assert/strict";
import { Counter, Histogram, prometheusText } from "../../../tasks/_serve/metrics.ts";
import { NeighbourIndex } from "../../../tasks/_serve/neighbours.ts";
import { traceOf } from "../../../tasks/_serve/trace.ts";
import type { Recommender } from "../../../eval/recommender.ts";

Deno.test("neighbours are those of like vectors, of the same first codes, or of the same users", () => {
  const of = (parts: object) => parts as unknown as Recommender;
  const vectors = { dim: 2, data: new Float32Array([1, 0, 0, 2, 3, 3]) };
  const [first, second] = new NeighbourIndex(of({ catalogue: {} }), vectors).of(0, 2).items;
  assert.deepEqual([first.item, first.score.toFixed(4), second], [2, ".7071".padStart(6, "0"), {
    item: 1,
    score: 0,
  }]);
  const sids = [["a", "b"], ["a", "c"], ["d", "b"], ["a", "b"]];
  assert.deepEqual(new NeighbourIndex(of({ catalogue: { sids } }), undefined).of(0, 9), {
    by: "SID",
    items: [{ item: 3, score: 2 }, { item: 1, score: 1 }],
  });
  const histories = [{ items: [0, 1, 1] }, { items: [0, 2] }, { items: [1, 0] }, { items: [3] }];
  assert.deepEqual(new NeighbourIndex(of({ catalogue: {}, dataset: { histories } }), undefined).of(0, 9), {
    by: "bought together",
    items: [{ item: 1, score: 2 }, { item: 2, score: 1 }],
  });
});

Deno.test("metrics are written as Prometheus reads them", () => {
  const requests = new Counter("requests_total", "Requests."),
    seconds = new Histogram("seconds", "Time.", [.1, 1]);
  requests.add({ route: 'a"b', status: 200 });
  requests.add({ route: 'a"b', status: 200 }, 2);
  [.05, .5, .1, 7].forEach((value) => seconds.observe(value));
  assert.equal(
    prometheusText([requests, seconds]),
    [
      "# HELP requests_total Requests.",
      "# TYPE requests_total counter",
      'requests_total{route="a\\"b",status="200"} 3',
      "# HELP seconds Time.",
      "# TYPE seconds histogram",
      'seconds_bucket{le="0.1"} 2',
      'seconds_bucket{le="1"} 3',
      'seconds_bucket{le="+Inf"} 4',
      "seconds_sum 7.65",
      "seconds_count 4",
      "",
    ].join("\n"),
  );
});

Deno.test("traceOf() goes on with a valid trace and starts one where there is none", () => {
  const ids = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  const { spanId: _, ...trace } = traceOf(`00-${ids.join("-")}-01`);
  assert.deepEqual(trace, { traceId: ids[0], parentId: ids[1], flags: "01" });
  const wrong = [
    undefined,
    "",
    "x",
    `ff-${ids.join("-")}-01`,
    `00-${"0".repeat(32)}-${ids[1]}-01`,
    `00-${ids.join("-")}-01-x`,
  ];
  for (const header of wrong) {
    const { traceId, parentId } = traceOf(header);
    assert.match(traceId, /^[0-9a-f]{32}$/);
    assert.deepEqual([parentId, traceId === ids[0]], [undefined, false]);
  }
});
