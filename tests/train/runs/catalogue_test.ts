import assert from "node:assert/strict";
import { catalogueDigest, catalogueOf, checkItems, checkTrainedSids } from "../../../train/runs/catalogue.ts";

const shop = (titles: string[], ids?: string[]) => ({
  items: titles.map((title, i) => ({ title, ...ids && { id: ids[i] } })),
});
const COMPARED = { run: "runs/a", data: "other", trainedOn: "shop" };
const trained = shop(["Pen", "Ruler", "Lamp"], ["A", "B", "C"]);
const refusal = (run: typeof trained, now: typeof trained) => {
  try {
    checkItems(catalogueOf(run), now, COMPARED);
  } catch (error) {
    return (error as Error).message;
  }
};

Deno.test("checkItems() takes the same items in the same order, by ids where both sides have some, else by titles", () => {
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

Deno.test("checkItems() tells of another order, of new items and of missing ones, and what to do", () => {
  assert.equal(
    refusal(trained, shop(["Pen", "Lamp", "Ruler"], ["A", "C", "B"])),
    "Cannot use runs/a with other: it was trained on 3 items, the dataset has 3; they are the same in another order and " +
      'differ first at item 1 "Lamp" (C), and the run\'s item 1 is item 2 "Ruler" (B) here. Use the dataset that it was ' +
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
