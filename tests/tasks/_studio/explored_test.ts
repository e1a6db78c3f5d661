// The items of a run that was trained for two steps, by way of `genrec studio` and of `genrec serve`.
import assert from "node:assert/strict";
import { join } from "node:path";
import { Device } from "../../../kernels/gpu/device.ts";
import { openRun } from "../../../train/runs/open_run.ts";
import { studioApp } from "../../../tasks/_studio/app.ts";
import { openedRuns } from "../../../tasks/_studio/opened_runs.ts";
import { Studio } from "../../../tasks/_studio/show.ts";
import type { ItemPlace, TriedRun } from "../../../web/studio/messages.ts";
import { tinyRun, tinyService } from "../_serve/tiny_service.ts";

const dir = await tinyRun();
const opened = openedRuns(join(dir, "data"), () => Device.open());
const app = studioApp(await Studio.open([join(dir, "run")], [], opened.use), console.error);

async function get(path: string) {
  const response = await app.fetch(new Request(`http://genrec/studio/${path}`));
  return { status: response.status, body: await response.json() };
}

Deno.test("items are found by words, with the codes before them and what is near", async () => {
  const { body: found } = await get("items?run=0&q=clamp");
  assert.deepEqual(found, { total: 1, items: [{ item: 1, sid: "<a_1><b_3>", title: "Bob's Clamp" }] });
  const place: ItemPlace = (await get("item?run=0&item=1")).body;
  assert.deepEqual(place.path, [{ token: "<a_1>", items: 2 }, { token: "<b_3>", items: 1 }]);
  assert.deepEqual(place.siblings.map(({ shared, items }) => [shared, items[0].item]), [[1, 0]]);
  assert.deepEqual([place.neighbours.by, place.neighbours.items[0].item], ["SID", 0]);
  assert.match((await get("item?run=0&item=4")).body.detail, /Cannot use item 4: the run knows items 0 to 3/);
});

Deno.test("the tree of SIDs is walked code by code, and items have places on a map", async () => {
  const { body: root } = await get("tree?run=0");
  assert.deepEqual([root.count, root.widths], [4, [3, 4]]);
  assert.deepEqual(root.children[0], { token: "<a_1>", items: 2, children: 2, words: [] });
  const { body: below } = await get(`tree?run=0&prefix=${encodeURIComponent("<a_1>")}`);
  assert.deepEqual(below.children.map(({ token }: { token: string }) => token), ["<b_2>", "<b_3>"]);
  const gone = await get(`tree?run=0&prefix=${encodeURIComponent("<a_9>")}`);
  assert.deepEqual(gone, {
    status: 422,
    body: { detail: "Cannot find <a_9>: no SID begins so. Go back to the root" },
  });
  const { body: shape } = await get("shape?run=0");
  assert.deepEqual([shape.count, shape.widths, shape.reached], [4, [3, 4], [4, 4]]);
  assert.deepEqual(shape.levels[1].map(({ items }: { items: number }) => items), [1, 1, 1, 1]);
  const { status, body } = await get("map?run=0");
  // No two titles of the four share a word, so there is nothing to draw.
  assert.deepEqual([status, body.detail.slice(0, 20)], [422, "Cannot map the items"]);
});

Deno.test("a history is answered as the run answers it, with the beginnings that the search kept", async () => {
  const tried: TriedRun = (await get("try?run=0&history=1,3&top=3&beams=4&excludeSeen=false")).body;
  const run = await openRun(join(dir, "run"), { data: join(dir, "data") });
  const [listed] = await run.recommend([{ history: [1, 3] }], { k: 3, beams: 4 });
  run.destroy();
  assert.deepEqual(tried.items.map(({ item }) => item), listed.flatMap(({ items }) => items));
  tried.items.forEach(({ score }, i) => assert.ok(Math.abs(score - listed[i].score) < 1e-4));
  // All three first codes, each with the probability of the items below it.
  assert.equal(tried.kept!.length, 1);
  assert.deepEqual(tried.kept![0].map(({ prefix }) => prefix.join("")).sort(), ["<a_1>", "<a_2>", "<a_4>"]);
  assert.equal(tried.kept![0].reduce((sum, { listed }) => sum + listed, 0), 3);
  const without: TriedRun = (await get("try?run=0&history=1,3&top=3&beams=4")).body;
  assert.deepEqual(without.items.map(({ item }) => item).sort(), [0, 2]);
  for (const history of ["", "x", "1,,2", "-1"]) {
    assert.equal((await get(`try?run=0&history=${history}`)).status, 400);
  }
});

Deno.test("serve shows the studio of its run, to those with a token alone where there are tokens", async () => {
  const { ask } = await tinyService();
  const { body: runs } = await ask("/studio/runs");
  assert.deepEqual(runs.map(({ task }: { task: string }) => task), ["sft"]);
  const { body: tried } = await ask("/studio/try?run=0&history=1,3&top=3&beams=4");
  assert.deepEqual(tried.items.map(({ item }: { item: number }) => item).sort(), [0, 2]);
  assert.equal((await ask("/studio/log?run=0")).body.lines.at(-1).step, 2);
  assert.equal((await ask("/studio")).status, 200);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "a-token-of-twenty-four-letters\n");
  const closed = await tinyService({ tokenFile: file });
  await Deno.remove(file);
  assert.deepEqual([(await closed.ask("/studio/runs")).status, (await closed.ask("/studio")).status], [
    401,
    200,
  ]);
});

addEventListener("unload", () => opened.destroy());
