import assert from "node:assert/strict";
import type { Item } from "../../../data/dataset.ts";
import { UserError } from "../../../base/user_error.ts";
import { ItemLookup, itemsIn } from "../../../tasks/_recommend/item_lookup.ts";

const titles = [
  "Blue Tape",
  "Steel Rule, 30 cm",
  "Tape",
  "Glue",
  "Glue",
  "Blue Tape, wide",
  "Red Tape",
  "Tape gun ",
];
const items: Item[] = titles.map((title) => ({ title }));
const lookup = new ItemLookup({ items }, "shop");

const refuses = (work: () => unknown, message: RegExp) =>
  assert.throws(work, (error) => error instanceof UserError && message.test(error.message));

Deno.test("numberOf() takes whole titles, blanks around them aside", () => {
  assert.deepEqual(["Tape", "Steel Rule, 30 cm", " Tape gun"].map((title) => lookup.numberOf(title, "x")), [
    2,
    1,
    7,
  ]);
});

Deno.test("numberOf() refuses shared and unknown titles and shows the nearest", () => {
  const cases: [title: string, message: RegExp][] = [
    ["Glue", /title "Glue" of --titles: items 3, 4 have it, expected one\. Name the item by number/],
    ["steel rule", /no item of shop has it\. It is part of "Steel Rule, 30 cm" \(item 1\)$/],
    ["tape", /part of "Blue Tape" \(item 0\), "Tape" \(item 2\), "Blue Tape, wide" \(item 5\) and 2 more$/],
    ["Blue Tap e", /no item of shop has it\. Did you mean Blue Tape\?$/],
    ["Submarine", /no item of shop has it\. Use whole titles, or item numbers$/],
    ["", /title "" of .*Use whole titles/],
  ];
  for (const [title, message] of cases) refuses(() => lookup.numberOf(title, "--titles"), message);
});

Deno.test("check() names the first item that the dataset does not have", () => {
  lookup.check([0, 7], "--history");
  refuses(
    () => lookup.check([0, 8, 9], "a.jsonl line 3"),
    /item 8 of a\.jsonl line 3: shop has items 0 to 7/,
  );
});

Deno.test("itemsIn() takes the items of any category, commas in names included", () => {
  const shop = {
    items: [["Tools", "Rulers"], ["Tools"], ["Paint, Oil"], ["Cafe\u0301"], undefined].map((categories) => ({
      title: "",
      categories,
    })),
  };
  assert.deepEqual(itemsIn(["Tools"], shop, "shop"), [0, 1]);
  assert.deepEqual(itemsIn(["Paint, Oil", "Rulers"], shop, "shop"), [0, 2]);
  assert.deepEqual(itemsIn(["Caf\u00e9"], shop, "shop"), [3]);
  refuses(() => itemsIn(["Paint"], shop, "shop"), /category "Paint": no item/);
  refuses(
    () => itemsIn(["tool"], shop, "shop"),
    /category "tool": no item of shop is in it\. Did you mean Tools\?\. There are Cafe\u0301, Paint, Oil, Rulers, Tools$/,
  );
  refuses(() => itemsIn([""], shop, "shop"), /category ""/);
  refuses(() => itemsIn(["Tools"], { items }, "shop"), /items of shop have no categories/);
});
