import assert from "node:assert/strict";
import { join } from "node:path";
import { readNpy, writeNpy } from "../../base/npy.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import { withFiles } from "../data/formats/minionerec/fixture.ts";
import { inSession } from "./_cli/session.ts";
import { filesIn, genrec } from "./genrec.ts";

/** Runs `use` in a folder with `items.npy` of these rows. */
function withEmbeddings(rows: number[][], use: (dir: string) => Promise<void>) {
  return withFiles({}, async (dir) => {
    await Deno.writeFile(
      join(dir, "items.npy"),
      writeNpy([rows.length, rows[0].length], Float32Array.from(rows.flat())),
    );
    await use(dir);
  });
}

async function sid(dir: string, ...flags: string[]) {
  const args = ["sid", "--embeddings", "items.npy", "--out", "sids", "--json", ...flags];
  const { code, stdout, stderr } = await genrec(dir, args);
  assert.equal(code, 0, stderr);
  const index: string[][] = Object.values(JSON.parse(await Deno.readTextFile(join(dir, "sids/index.json"))));
  return { report: JSON.parse(stdout), index };
}

// Four far corners, each with four near ones around it.
const corners = [[0, 0], [100, 0], [0, 100], [100, 100]];
const nested = corners.flatMap(([x, y]) => [[x - 4, y - 4], [x + 4, y - 4], [x - 4, y + 4], [x + 4, y + 4]]);

Deno.test("sid finds the two levels of nested clusters and writes index, report and codebooks", async () => {
  await withEmbeddings(nested, async (dir) => {
    const { report, index } = await sid(dir, "--levels", "2", "--codebook-size", "4");
    assert.deepEqual(filesIn(join(dir, "sids")), [
      "codebooks.safetensors",
      "codes.npy",
      "index.json",
      "items.npy",
      "new_tokens.json",
      "sid.json",
      "sid.report.html",
      "sid.report.json",
    ]);
    assert.equal(report.distinct, 16);
    assert.deepEqual(report.levels.map(({ used }: { used: number }) => used), [4, 4]);
    for (let item = 0; item < 16; item++) {
      assert.equal(index[item][0], index[item - item % 4][0], "one corner, one first token");
    }
    assert.equal(new Set(index.map(([first]) => first)).size, 4);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(join(dir, "sids/sid.report.json"))), report);
    const codebooks = readSafetensors(await Deno.readFile(join(dir, "sids/codebooks.safetensors")));
    assert.deepEqual([...codebooks].map(([name, { shape }]) => [name, shape]), [
      ["codebook.0", [4, 2]],
      ["codebook.1", [4, 2]],
    ]);
  });
});

Deno.test("sid --method rqvae keeps the best weights by every criterion, the chosen ones as codebooks", async () => {
  await withEmbeddings(nested, async (dir) => {
    const flags = "--method rqvae --levels 2 --codebook-size 4 --latent-dim 4 --epochs 4 --keep loss".split(
      " ",
    );
    await sid(dir, ...flags);
    const read = (name: string) => Deno.readFileSync(join(dir, "sids", `${name}.safetensors`));
    assert.deepEqual(read("best-loss"), read("codebooks"));
    const names = [...readSafetensors(read("codebooks")).keys()].sort();
    for (const other of ["best-collision", "best-gini"]) {
      assert.deepEqual([...readSafetensors(read(other)).keys()].sort(), names);
    }
  });
});

// Eight items on four points: every second one collides.
const pairs = corners.flatMap((corner) => [corner, corner]);

Deno.test("sid --collisions keep, extra-level and nearest-free do what they say to eight items on four points", async () => {
  await withEmbeddings(pairs, async (dir) => {
    const flags = ["--levels", "1", "--codebook-size", "4", "--collisions"];
    const keep = await sid(dir, ...flags, "keep");
    assert.deepEqual([keep.report.distinct, keep.report.collisionRate, keep.report.changed], [4, 0.5, 0]);
    const extra = await sid(dir, ...flags, "extra-level");
    assert.deepEqual([extra.report.distinct, extra.report.beforePolicy.distinct], [8, 4]);
    assert.deepEqual(extra.index.map((sid) => sid[1]), Array(4).fill(["<b_0>", "<b_1>"]).flat());
    // All four codewords are taken, so nobody can move: one more code tells them apart.
    assert.deepEqual((await sid(dir, ...flags, "nearest-free")).index, extra.index);
  });
});

Deno.test("sid moves the second of two equal items to the codeword that is left", async () => {
  await withEmbeddings([[0, 0], [0, 0], [10, 0], [11, 0]], async (dir) => {
    const { report, index } = await sid(dir, "--levels", "1", "--codebook-size", "4");
    assert.equal(report.distinct, 4);
    assert.equal(report.changed, 1);
    assert.equal(new Set(index.map(([token]) => token)).size, 4);
  });
});

Deno.test("sid --data synthetic embeds the built-in items; the same seed gives the same bytes", async () => {
  await withFiles({}, async (dir) => {
    const run = async (out: string) => {
      const quick = ["--codebook-size", "32", "--starts", "1", "--iterations", "4"];
      const args = ["sid", "--data", "synthetic", ...quick, "--out", out];
      const { code, stdout, stderr } = await inSession(dir, args);
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        /600 items, collision rate \d+\.\d % as coded; .* 600 different SIDs, 0\.0 % collide/,
      );
      return await Deno.readTextFile(join(dir, out, "index.json"));
    };
    assert.equal(await run("a"), await run("b"));
    assert.deepEqual(readNpy(await Deno.readFile(join(dir, "a/items.npy"))).shape, [600, 64]);
  });
});
