import assert from "node:assert/strict";
import { join } from "node:path";
import { openRun } from "../../../train/runs/open_run.ts";
import { AnswerSchema, ItemDetailsSchema, ItemsSchema } from "../../../tasks/_serve/schemas.ts";
import { tinyService } from "./tiny_service.ts";

const shared = tinyService();

interface Listed {
  item: number;
  score: number;
}

const numbers = (listed: Listed[]) => listed.map(({ item }) => item);

Deno.test("POST /recommend answers what the run lists, by numbers and titles, alone and together", async () => {
  const { dir, ask, service } = await shared;
  const histories = [[1, 3], [0], [2, 0], [3]];
  const run = await openRun(join(dir, "run"), { data: join(dir, "data") });
  const expected = await run.recommend(histories.map((history) => ({ history })), { k: 3, beams: 4 });
  run.destroy();
  const alone = [];
  for (const history of histories) alone.push(await ask("/recommend", { history, top: 3 }));
  const before = /genrec_batch_users_count (\d+)/.exec(service.metricsText())![1];
  const together = await Promise.all(histories.map((history) => ask("/recommend", { history, top: 3 })));
  const after = /genrec_batch_users_count (\d+)/.exec(service.metricsText())![1];
  const { body: batch } = await ask("/recommend", {
    users: histories.map((history, user) => ({ user, history })),
    top: 3,
  });
  for (const [i, history] of histories.entries()) {
    const answer = AnswerSchema.parse(alone[i].body);
    assert.deepEqual(answer.answers[0].history, history);
    const items = expected[i].flatMap(({ items }) => items);
    assert.deepEqual(numbers(answer.answers[0].recommendations!), items);
    for (const [place, { score }] of answer.answers[0].recommendations!.entries()) {
      assert.ok(Math.abs(score - expected[i][place].score) < 1e-4);
    }
    assert.deepEqual(numbers(together[i].body.answers[0].recommendations), items);
    assert.deepEqual([batch.answers[i].user, numbers(batch.answers[i].recommendations)], [i, items]);
  }
  // Those that arrived in one moment were one search, not four.
  assert.equal(Number(after) - Number(before), 1);
  const { body } = await ask("/recommend", { titles: ["Bob's Clamp", "NA"], top: 3 });
  assert.deepEqual(body.answers, alone[0].body.answers);
  assert.deepEqual(body.answers[0].recommendations[0].sid.match(/<\w_\d>/g).length, 2);
});

Deno.test("POST /recommend keeps to allow, deny, categories and excludeSeen", async () => {
  const { ask } = await shared;
  const listed = async (wanted: Record<string, unknown>) =>
    numbers((await ask("/recommend", { history: [1, 3], ...wanted })).body.answers[0].recommendations)
      .toSorted();
  assert.deepEqual(await listed({}), [0, 1, 2, 3]);
  assert.deepEqual(await listed({ excludeSeen: true }), [0, 2]);
  assert.deepEqual(await listed({ deny: [0, "2"] }), [1, 3]);
  assert.deepEqual(await listed({ allow: [0, 1, 2], deny: [0], excludeSeen: true }), [2]);
  assert.deepEqual(await listed({ categories: ["Rulers"] }), [2]);
  const { body } = await ask("/recommend", { history: [1], deny: [0, "gone"], top: 1 });
  assert.deepEqual(body.unknown, ["gone"]);
});

Deno.test("POST /recommend answers those of a batch that it can, and says why not the others", async () => {
  const { ask } = await shared;
  const { status, body } = await ask("/recommend", {
    users: [{ user: "ann", history: ["gone"] }, { user: "bob", history: [1, "gone"] }],
    top: 1,
  });
  assert.equal(status, 200);
  assert.match(body.answers[0].error, /item gone of users\[0\]/);
  assert.deepEqual([body.answers[1].unknown, body.answers[1].recommendations.length], [["gone"], 1]);
});

Deno.test("a request that cannot be answered is told what is wrong, what was expected and what to do", async () => {
  const { ask } = await shared;
  const wrong: [body: unknown, status: number, detail: RegExp][] = [
    ["{", 400, /Malformed JSON/],
    [{}, 400, /expected either history.*or titles.*found neither/],
    [{ history: [1], titles: ["NA"] }, 400, /found both/],
    [{ history: [1], users: [{ history: [1] }] }, 400, /users together with history/],
    [{ history: [1], top: 0 }, 400, /Cannot use top: Too small/],
    [{ history: [1], topp: 1 }, 400, /topp/],
    [{ history: Array(201).fill(1) }, 400, /Cannot use history: Too big/],
    [{ history: [-1] }, 400, /history.0/],
    [{ history: [99] }, 422, /item 99 of the request: data has items 0 to 3/],
    [{ titles: ["Red Tape"] }, 422, /no item of data has it/],
    [{ history: [1], allow: ["gone"] }, 422, /none of its items is in data/],
    [{ history: [1], categories: ["Food"] }, 422, /category "Food"/],
    [{ history: [1], deny: [0, 1, 2, 3] }, 422, /every item/],
    [{ history: [1], say: "lighter" }, 422, /reads no text/],
    [{ history: [1], preference: "light" }, 422, /asks by no preference/],
    [{ history: [1], timeout: 1e-9 }, 504, /in time/],
  ];
  for (const [body, status, detail] of wrong) {
    const answer = await ask("/recommend", body);
    assert.equal(answer.status, status, JSON.stringify([body, answer.body]));
    assert.match(answer.body.detail, detail);
    assert.match(answer.headers.get("Content-Type")!, /problem\+json/);
  }
  assert.equal((await ask("/recommend", "{}", { headers: { "Content-Type": "text/plain" } })).status, 415);
  const large = await ask("/recommend", JSON.stringify({ history: [1], pad: "x".repeat(1 << 20) }));
  assert.deepEqual([large.status, /1048576 bytes/.test(large.body.detail)], [413, true]);
  const put = await ask("/recommend", undefined, { method: "PUT" });
  assert.deepEqual([put.status, put.headers.get("Allow")], [405, "POST"]);
  assert.equal((await ask("/nowhere")).status, 404);
});

Deno.test("items are found by words and ids, and one is told with what is near it", async () => {
  const { ask } = await shared;
  const found = ItemsSchema.parse((await ask("/items?q=STEEL%20cm")).body);
  assert.deepEqual([found.total, found.items[0].title], [1, "Steel Rule, 30 cm"]);
  assert.deepEqual((await ask("/items?limit=2&offset=3")).body.items.map(({ item }: Listed) => item), [3]);
  assert.equal((await ask("/items?limit=x")).status, 400);
  const item = ItemDetailsSchema.parse((await ask("/items/0")).body);
  assert.deepEqual([item.title, item.brand], ["Blue Tape", "Acme"]);
  // Of <a_1><b_2> only <a_1><b_3> shares a level from the first on.
  assert.deepEqual([item.neighbours.by, numbers(item.neighbours.items)], ["SID", [1]]);
  const gone = await ask("/items/99");
  assert.deepEqual([gone.status, /has items 0 to 3/.test(gone.body.detail)], [404, true]);
});

Deno.test("answers carry the caller's trace, headers for browsers, and no origin is let in", async () => {
  const { ask, events } = await shared;
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { headers } = await ask("/healthz", undefined, {
    headers: { traceparent, Origin: "https://a.example" },
  });
  assert.match(headers.get("traceparent")!, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  assert.equal(headers.get("Access-Control-Allow-Origin"), null);
  assert.match(headers.get("Content-Security-Policy")!, /^default-src 'none'/);
  assert.equal(headers.get("X-Content-Type-Options"), "nosniff");
  const { time: _, ms: __, spanId: ___, ...event } = events.at(-1)!;
  assert.deepEqual(event, {
    level: "info",
    message: "request",
    method: "GET",
    path: "/healthz",
    status: 200,
    traceId: "0af7651916cd43dd8448eb211c80319c",
    parentId: "b7ad6b7169203331",
  });
  const open = await tinyService({ corsOrigin: ["https://a.example"] });
  const let_in = async (Origin: string) =>
    (await open.ask("/healthz", undefined, { headers: { Origin } })).headers.get(
      "Access-Control-Allow-Origin",
    );
  assert.deepEqual([await let_in("https://a.example"), await let_in("https://b.example")], [
    "https://a.example",
    null,
  ]);
});

Deno.test("the page of requests is whole: it loads what this server has, and no script stands in it", async () => {
  const { ask } = await shared;
  const page = await ask("/docs");
  assert.deepEqual([page.status, page.headers.get("Content-Type")], [200, "text/html; charset=utf-8"]);
  const named = [...page.body.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) => path);
  assert.deepEqual(named.toSorted(), ["/docs/script.js", "/docs/style.css", "/openapi.json"]);
  for (const path of named) assert.equal((await ask(path)).status, 200, path);
  assert.doesNotMatch(page.body, /<script>|\son\w+=|https?:/);
  assert.doesNotMatch((await ask("/docs/script.js")).body, /innerHTML|\beval\(|https?:/);
  const root = await ask("/");
  assert.deepEqual([root.status, root.headers.get("Location")], [302, "/docs"]);
});

Deno.test("openapi.json tells every request with its fields, defaults and answers", async () => {
  const { ask } = await shared;
  const { paths, components: { schemas } } = (await ask("/openapi.json")).body;
  assert.deepEqual(Object.keys(paths).toSorted(), [
    "/healthz",
    "/items",
    "/items/{id}",
    "/metrics",
    "/readyz",
    "/recommend",
  ]);
  const { properties } = schemas.RecommendRequest;
  assert.deepEqual([properties.top.default, properties.top.maximum, properties.users.maxItems], [
    10,
    100,
    64,
  ]);
  assert.ok(Object.values(properties).every((field) => (field as { description?: string }).description));
  assert.deepEqual(Object.keys(paths["/recommend"].post.responses), [
    "200",
    "400",
    "401",
    "408",
    "413",
    "415",
    "422",
    "429",
    "503",
    "504",
  ]);
});

Deno.test("requests beyond the queue are sent away with the time to come back, those that wait are answered", async () => {
  const { ask, service } = await tinyService({ maxQueue: 2, maxUsers: 2 });
  const gate = Promise.withResolvers<void>();
  const held = service.batcher.inTurn(() => gate.promise);
  const waiting = [[1], [2]].map((history) => ask("/recommend", { history }));
  while (service.batcher.waiting < 2) await new Promise((resume) => setTimeout(resume, 1));
  const away = await ask("/recommend", { history: [3] });
  assert.deepEqual([away.status, Number(away.headers.get("Retry-After")) >= 1], [429, true]);
  gate.resolve();
  await held;
  assert.deepEqual((await Promise.all(waiting)).map(({ status }) => status), [200, 200]);
});

Deno.test("with a token file only probes are answered to those who bear none", async () => {
  const { dir } = await shared;
  const tokenFile = join(dir, "tokens.txt"), token = "0123456789abcdef";
  await Deno.writeTextFile(tokenFile, `${token}\nfedcba9876543210\n`);
  const { ask } = await tinyService({ tokenFile });
  const status = async (path: string, Authorization?: string) =>
    (await ask(path, undefined, { headers: { ...Authorization && { Authorization } } })).status;
  assert.deepEqual(
    [await status("/healthz"), await status("/readyz"), await status("/items"), await status("/metrics")],
    [200, 200, 401, 401],
  );
  assert.deepEqual(
    [
      await status("/items", `Bearer ${token}`),
      await status("/items", "bearer fedcba9876543210"),
      await status("/items", `Bearer ${token}0`),
      await status("/items", `Basic ${token}`),
    ],
    [200, 200, 401, 401],
  );
  await Deno.writeTextFile(tokenFile, "short\n");
  await assert.rejects(() => tinyService({ tokenFile }), /token 1 is shorter than 16/);
});

Deno.test("a reload serves what lies there now without a failed request, and nothing else if that is bad", async () => {
  const { dir } = await shared;
  const tokenFile = join(dir, "tokens.txt"), token = "0123456789abcdef";
  await Deno.writeTextFile(tokenFile, token);
  const { ask, service, events } = await tinyService({ tokenFile });
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const recommend = () => ask("/recommend", { history: [1] }, { headers });
  const before = (await recommend()).body;
  const reload = () => ask("/admin/reload", undefined, { method: "POST", headers });
  const [reloaded, ...during] = await Promise.all([reload(), ...Array.from({ length: 20 }, recommend)]);
  assert.deepEqual([reloaded.status, reloaded.body.status], [200, "reloaded"]);
  for (const { status, body } of during) assert.deepEqual([status, body], [200, before]);
  const item = join(dir, "data/item.json"), text = await Deno.readTextFile(item);
  try {
    await Deno.writeTextFile(item, text.replace("Acme", "Apex"));
    assert.equal((await reload()).status, 200);
    assert.equal((await ask("/items/0", undefined, { headers })).body.brand, "Apex");
    await Deno.writeTextFile(item, "{");
    const [refused, ...others] = await Promise.all([reload(), recommend(), recommend()]);
    assert.deepEqual([refused.status, /The run from before is served/.test(refused.body.detail)], [
      422,
      true,
    ]);
    assert.deepEqual(others.map(({ status }) => status), [200, 200]);
  } finally {
    await Deno.writeTextFile(item, text);
  }
  assert.equal((await ask("/items/0", undefined, { headers })).body.brand, "Apex");
  assert.ok(events.some(({ level, message }) => level === "error" && /reload failed/.test(String(message))));
  assert.match(service.metricsText(), /genrec_reloads_total\{result="failed"\} 1/);
});
