import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { loadDataset } from "../../data/formats/load.ts";
import { withFiles } from "../data/formats/minionerec/fixture.ts";
import { genrec } from "../tasks/genrec.ts";

/** Amazon 2018 logs of the built-in shop: what a user downloads, gzip and all. */
async function rawLogs(dir: string): Promise<void> {
  const { items, histories } = await loadDataset("synthetic");
  const reviews = histories.flatMap(({ user, items }, u) =>
    items.map((item, i) => ({
      reviewerID: user,
      asin: `B${item}`,
      overall: 5,
      unixReviewTime: 1.5e9 + 86400 * i + u,
    }))
  );
  const meta = items.map(({ title, brand, categories, description }, item) => ({
    asin: `B${item}`,
    title,
    brand,
    category: categories === undefined ? [] : [categories],
    description: description === undefined ? [] : [description],
  }));
  for (const [name, lines] of Object.entries({ reviews, meta })) {
    const text = lines.map((line) => JSON.stringify(line)).join("\n") + "\n";
    await Deno.writeFile(join(dir, `${name}.json.gz`), gzipSync(text));
  }
}

Deno.test("three commands lead from raw logs to semantic IDs that training takes", async () => {
  await withFiles({}, async (dir) => {
    await rawLogs(dir);
    const commands = [
      "data --dataset amazon18 --reviews reviews.json.gz --meta meta.json.gz --out shop",
      "embed --data shop --out items.npy",
      "sid --embeddings items.npy --data shop --codebook-size 16 --starts 1 --iterations 4 --out sids",
      "data --check shop",
      "convert --from shop --to minionerec --sids sids/index.json --out theirs",
      "sft --data shop --sids sids --out run --max-steps 1 --hidden-size 32 --num-hidden-layers 1 --eval-samples 0",
    ];
    for (const command of commands) {
      const { code, stderr } = await genrec(dir, command.split(" "));
      assert.equal(code, 0, `${command}: ${stderr}`);
    }
    const ours = await loadDataset(join(dir, "shop"));
    const theirs = await loadDataset(join(dir, "theirs"));
    assert.ok(ours.items.length > 400, `${ours.items.length} items`);
    assert.deepEqual(
      theirs.samples.test.map(({ target }) => target),
      ours.samples.test.map(({ target }) => target),
    );
    const index: string[][] = Object.values(
      JSON.parse(await Deno.readTextFile(join(dir, "sids/index.json"))),
    );
    assert.equal(new Set(index.map((sid) => sid.join(""))).size, ours.items.length);
    assert.deepEqual(theirs.sids, index);
  });
});
