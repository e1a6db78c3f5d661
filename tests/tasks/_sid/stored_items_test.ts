import assert from "node:assert/strict";
import { join } from "node:path";
import { loadCorpus } from "../../../data/formats/load.ts";
import { storedItems } from "../../../tasks/_sid/stored_items.ts";
import type { StoredSids } from "../../../tasks/_sid/folder.ts";
import { catalogueOf } from "../../../train/runs/catalogue/catalogue.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const INTER = "user_id:token\titem_id:token\ttimestamp:float\n7\tm3\t30\n7\tm1\t10\n9\tm1\t5\n7\tm2\t20\n";
const item = (...rows: string[]) => ["item_id:token\tmovie_title:token_seq", ...rows, ""].join("\n");

/** Titles of the items that SIDs of `a` have with `data`, as `sid --inspect` and `--add` name them. */
async function titles(dir: string, data: string, learnedFrom = 3) {
  const stored = { recipe: { learnedFrom } } as StoredSids;
  const items = await storedItems({ data: join(dir, data), sids: join(dir, "sids") }, stored);
  return items!.map(({ title }) => title);
}

Deno.test("items of SIDs are those of their catalogue: others are refused, another order is followed by ids", async () => {
  const rows = ["m1\tToy Story", "m2\tHeat", "m3\tCasino"];
  const files = {
    "a/a.inter": INTER,
    "a/a.item": item(...rows),
    "moved/moved.inter": INTER,
    "moved/moved.item": item(...rows.toReversed()),
    "other/other.inter": INTER.replace("m2", "m5"),
    "other/other.item": item(rows[0], "m5\tJumanji", rows[2]),
  };
  await withFiles(files, async (dir) => {
    assert.deepEqual(await titles(dir, "moved"), ["Casino", "Heat", "Toy Story"]); // nothing tells what they were
    const { items } = await loadCorpus(join(dir, "a"));
    const added = { id: "m9", title: "Alien", categories: [] };
    const path = join(dir, "sids/catalogue.json");
    await Deno.mkdir(join(dir, "sids"));
    // Items that were added later come after those of the dataset.
    for (const known of [items, [...items, added]]) {
      await Deno.writeTextFile(path, JSON.stringify(catalogueOf({ items: known })));
      for (const data of ["a", "moved"]) {
        assert.deepEqual(await titles(dir, data), ["Toy Story", "Heat", "Casino"]);
      }
      await assert.rejects(() => titles(dir, "other"), {
        name: "UserError",
        message: /Cannot use .*sids with .*other: .* they differ first at item 1 "Jumanji" \(m5\)/,
      });
    }
    await assert.rejects(() => titles(dir, "a", 4), /it has 3 items, the SIDs were made for 4/);
  });
});
