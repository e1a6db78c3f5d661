import assert from "node:assert/strict";
import { loadInputs } from "../../../../train/run/inputs.ts";
import {
  catalogueDigest,
  catalogueOf,
  CatalogueSchema,
  checkTrainedSids,
  itemOrder,
  sidOrder,
} from "../../../../train/runs/catalogue/catalogue.ts";

const shop = (titles: string[], ids?: string[]) => ({
  items: titles.map((title, i) => ({ title, ...ids && { id: ids[i] } })),
});
const COMPARED = { run: "runs/a", data: "other", trainedOn: "shop" };
const trained = shop(["Pen", "Ruler", "Lamp"], ["A", "B", "C"]);
const refusal = (run: typeof trained, now: typeof trained) => {
  try {
    assert.equal(itemOrder(catalogueOf(run), now, COMPARED), undefined);
  } catch (error) {
    return (error as Error).message;
  }
};

Deno.test("itemOrder() takes the same items in the same order, by ids where both sides have some, else by titles", () => {
  assert.equal(refusal(trained, trained), undefined);
  assert.equal(refusal(trained, shop(["Pen", "A ruler", "Lamp"], ["A", "B", "C"])), undefined);
  assert.equal(refusal(trained, shop(["Pen", "Ruler", "Lamp"])), undefined);
  assert.match(
    refusal(trained, shop(["Pen", "Ruler", "Lamp"], ["A", "B", "D"]))!,
    /differ first at item 2 "Lamp" \(D\)/,
  );
  assert.match(
    refusal(shop(["Pen", "Ruler"]), shop(["Pen", "Lamp"]))!,
    /^Cannot use runs\/a with other: it was trained on 2 items, the dataset has 2; they differ first at item 1 "Lamp", and none of these is the run's item 1\. /,
  );
});

Deno.test("itemOrder() tells of another order, of new items and of missing ones, and what to do", () => {
  assert.equal(
    refusal(trained, shop(["Pen", "Lamp", "Ruler"])),
    "Cannot use runs/a with other: it was trained on 3 items, the dataset has 3; they are the same in another order and " +
      'differ first at item 1 "Lamp", and the run\'s item 1 is item 2 "Ruler" here. Use the dataset that it was ' +
      "trained on, --data shop, or train another run on this one",
  );
  assert.match(
    refusal(trained, shop(["Pen", "Ruler", "Lamp", "Ink"], ["A", "B", "C", "D"]))!,
    /trained on 3 items, the dataset has 4; the first new one is item 3 "Ink" \(D\)\. Use the dataset/,
  );
  assert.match(
    refusal(trained, shop(["Pen"]))!,
    /3 items, the dataset has 1; those from item 1 on are missing\./,
  );
});

Deno.test("itemOrder() gives the numbers in the run of the same items in another order, where ids tell them", () => {
  const now = shop(["Lamp", "A pen", "Ruler"], ["C", "A", "B"]);
  assert.deepEqual(itemOrder(catalogueOf(trained), now, COMPARED), [2, 0, 1]);
  // With one id twice nobody can tell.
  assert.match(refusal(trained, shop(["Lamp", "Pen", "Pen"], ["C", "A", "A"]))!, /differ first at item 0/);
});

Deno.test("sidOrder() follows ids that both sides have, and takes items of other ids by their numbers", () => {
  const order = (titles: string[], ids?: string[]) =>
    sidOrder(catalogueOf(trained), shop(titles, ids), COMPARED);
  assert.deepEqual(order(["Lamp", "Pen", "Ruler"], ["C", "A", "B"]), [2, 0, 1]);
  assert.equal(order(["Lamp", "Pen", "Ruler"], ["0", "1", "2"]), undefined);
  assert.equal(order(["Lamp", "Pen", "Ruler"]), undefined);
  assert.throws(() => order(["Lamp", "Pen", "Ink"], ["C", "A", "D"]), /they differ first at item 0 "Lamp"/);
});

Deno.test("checkTrainedSids() names the first SID that differs", () => {
  const sids = [["<a_1>", "<b_1>"], ["<a_1>", "<b_2>"], ["<a_2>"]];
  const catalogue = catalogueOf(trained, sids);
  const check = (found: string[][], known?: string[][]) => () =>
    checkTrainedSids(catalogue, found, { run: "runs/a", index: "new.json", known });
  check(sids)();
  assert.throws(check([sids[0], sids[2], sids[1]], sids), {
    name: "UserError",
    message:
      "Cannot use runs/a with the SIDs of new.json: it has 3 SIDs, the run was trained with 3; they differ first " +
      "at item 1, which has <a_2> there and <a_1><b_2> in training. Use the index.json that it was trained with",
  });
  assert.throws(
    check(sids.slice(0, 2)),
    /differ first at item 2, which has none there and another one in training/,
  );
  // Runs whose index moves as they train have none.
  checkTrainedSids(catalogueOf(trained), [["<a_9>"]], { run: "runs/a", index: "new.json" });
});

Deno.test("catalogueDigest() follows ids where all items have some, else titles", async () => {
  const digest = async (...shopOf: Parameters<typeof shop>) =>
    (await catalogueDigest(shop(...shopOf))).sha256;
  assert.equal(await digest(["Pen"], ["A"]), await digest(["Pencil"], ["A"]));
  assert.notEqual(await digest(["Pen"]), await digest(["Pencil"]));

  const { items, sha256 } = await catalogueDigest(shop(["Pen"], ["A"]));
  // printf '["A"]' | sha256sum
  assert.deepEqual([items, sha256], [1, "d2a4b37cac0a57e42b1fe002a68c2449a7e41646eec1a92a0f0acd39fae589ce"]);
});

Deno.test("loadInputs() takes SIDs with a catalogue beside them by its ids", async () => {
  const folder = await Deno.makeTempDir();
  const sids = { 0: ["<a_1>"], 1: ["<a_2>"], 2: ["<a_3>"] };
  await Deno.writeTextFile(`${folder}/index.json`, JSON.stringify(sids));
  await Deno.writeTextFile(`${folder}/catalogue.json`, JSON.stringify(catalogueOf(trained)));
  const names = { name: "toys", source: "", license: "", histories: [], files: [] };
  const rest = { ...names, samples: { train: [], valid: [], test: [] } };
  const read = async (ids: string[]) =>
    (await loadInputs("toys", folder, { ...rest, ...shop(["Lamp", "Pen", "Ruler"], ids) })).sids;
  assert.deepEqual(await read(["C", "A", "B"]), [["<a_3>"], ["<a_1>"], ["<a_2>"]]);
  assert.deepEqual(await read(["7", "8", "9"]), [["<a_1>"], ["<a_2>"], ["<a_3>"]]);
  await assert.rejects(read(["C", "A", "D"]), /Cannot use .*index\.json with toys/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a catalogue of millions of items is read, and hashes of another length or letter are refused", () => {
  const parsed = (titles: string) => CatalogueSchema.safeParse({ items: 0, titles }).success;
  assert.ok(parsed("0123cdef".repeat(5_000_000)));
  for (const other of ["0123cde", "0123cdeF", "0123cdeg"]) assert.ok(!parsed(other), other);
});
