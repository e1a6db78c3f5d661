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

Deno.test("find() takes item numbers, and ids where the data has them", () => {
  assert.deepEqual([0, 7, 8, "7", "8", "B01"].map((name) => lookup.find(name)), [
    0,
    7,
    undefined,
    7,
    undefined,
    undefined,
  ]);
  assert.match(
    lookup.unknown([8, 9], "a.jsonl line 3").message,
    /item 8, 9 of a\.jsonl line 3: shop has items 0 to 7\. Use/,
  );
  const ids = ["B00A", "1", "9007199254740993", "Cafe\u0301", undefined];
  const named = new ItemLookup({ items: ids.map((id) => ({ title: "", ...(id && { id }) })) }, "shop");
  assert.deepEqual(
    ["B00A", "9007199254740993", "Caf\u00e9", "id:1", 4, "4", "B00B"].map((name) => named.find(name)),
    [0, 2, 3, 1, 4, 4, undefined],
  );
  // A number is an item number first, a text an id first.
  const turned = new ItemLookup({ items: [{ title: "", id: "1" }, { title: "", id: "0" }] }, "shop");
  assert.deepEqual([0, "0", "id:0"].map((name) => turned.find(name)), [0, 1, 1]);
  const note = "Note: 0 is taken as an item number; the item with the id 0 is 1: id:0";
  assert.deepEqual([turned.notes([0, "0"]), lookup.notes([0])], [[note], []]);
  assert.match(
    named.unknown(["x"], "--history").message,
    /items 0 to 4 with ids such as B00A\. Use item numbers or ids/,
  );
});

Deno.test("numberOf() finds a title whichever way its accents are written", () => {
  const cups = new ItemLookup({ items: [{ title: "Cafe\u0301 Cup" }, { title: "Tape | 3-Pack" }] }, "shop");
  assert.deepEqual([cups.numberOf("Caf\u00e9 Cup", "x"), cups.hasTitle("Tape | 3-Pack")], [0, true]);
  refuses(() => cups.numberOf("Caf\u00e9", "x"), /It is part of "Cafe\u0301 Cup" \(item 0\)/);
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
