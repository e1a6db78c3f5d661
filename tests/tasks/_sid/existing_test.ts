import assert from "node:assert/strict";
import { join } from "node:path";
import { loadCorpus } from "../../../data/formats/load.ts";
import { readNpy } from "../../../base/npy.ts";
import { UserError } from "../../../base/user_error.ts";
import { task as embedTask } from "../../../tasks/embed.ts";
import { filesIn } from "../genrec.ts";
import { nested, npyOf, readJsonIn, run, sid, withMatrices } from "./command.ts";

function fails(args: string[], message: RegExp) {
  return assert.rejects(sid(...args), (error) => error instanceof UserError && message.test(error.message));
}

const QUICK = ["--codebook-size", "16", "--starts", "1", "--iterations", "4"];

/** Runs `use` with SIDs of the synthetic dataset, made of its words, in `sids/`. */
function withSynthetic(flags: string[], use: (dir: string) => Promise<void>) {
  return withMatrices({}, {}, async (dir) => {
    await sid("--data", "synthetic", ...QUICK, "--out", join(dir, "sids"), ...flags);
    await use(dir);
  });
}

const jsonl = (...items: Record<string, unknown>[]) =>
  items.map((item) => JSON.stringify(item) + "\n").join("");

Deno.test("sid --inspect prints an item's neighbours by prefix, found by number, id or title", async () => {
  await withSynthetic([], async (dir) => {
    const sids = join(dir, "sids");
    const lines = await sid("--inspect", "12", "--sids", sids, "--top", "2");
    const [first, second] = lines;
    const title = first.replace("item 12, id 12: ", "");
    const tokens: string[] = (await readJsonIn(dir, "sids/index.json"))[12];
    assert.equal(second, `SID ${tokens.join("")}`);
    const shared = lines.filter((line) => / codes shared with /.test(line)).map((line) => Number(line[0]));
    assert.deepEqual(shared, shared.toSorted((a, b) => b - a));
    for (const row of lines.filter((line) => /^ +\d+ /.test(line))) assert.ok(row.includes(tokens[0]), row);
    assert.deepEqual(await sid("--inspect", title.toUpperCase(), "--sids", sids, "--top", "2"), lines);

    await fails(
      ["--inspect", "600", "--sids", sids],
      /Cannot find item 600: expected a number from 0 to 599/,
    );
    const word = title.split(" ").at(-1)!;
    await fails(
      ["--inspect", `zzz ${word}`, "--sids", sids],
      new RegExp(`no number, id or title fits\\. Nearest titles: .*${word}`),
    );
    await fails(
      ["--inspect", "a", "--sids", sids],
      /Cannot tell which item "a" is: .* and \d+ more\. Name its number/,
    );
    await fails(
      ["--inspect", "1", "--sids", dir],
      /it has no sid\.json, expected a folder that `genrec sid --out` wrote/,
    );
  });
});

for (const policy of ["nearest-free", "extra-level"]) {
  Deno.test(`sid --add embeds new items like the old ones and keeps every old line, with ${policy}`, async () => {
    await withSynthetic(["--collisions", policy, "--code-offset", "1"], async (dir) => {
      const [sids, longer] = ["sids", "longer"].map((name) => join(dir, name));
      const [line] = await sid("--inspect", "12", "--sids", sids);
      const title = line.replace("item 12, id 12: ", "");
      const path = join(dir, "new.jsonl");
      await Deno.writeTextFile(
        path,
        jsonl({ id: "N1", title }, { id: "N2", title }, { id: "N3", title: "something else" }),
      );
      const lines = await sid("--add", path, "--sids", sids, "--out", longer);
      assert.match(lines.at(-1)!, /index\.json of 603 items, the first 600 as before/);

      const plain = (text: string) => text.split("\n").map((line) => line.replace(/,$/, ""));
      const [before, after] = await Promise.all(
        [sids, longer].map(async (dir) => plain(await Deno.readTextFile(join(dir, "index.json")))),
      );
      assert.deepEqual(after.slice(0, 601), before.slice(0, 601));
      const index: string[][] = Object.values(await readJsonIn(dir, "longer/index.json"));
      assert.equal(new Set(index.map((sid) => sid.join(""))).size, 603);
      assert.equal((await sid("--inspect", "N2", "--sids", longer))[0], `item 601, id N2: ${title}`);

      // Added in turn, they get the same SIDs.
      const [one, rest] = ["one.jsonl", "rest.jsonl"].map((name) => join(dir, name));
      await Deno.writeTextFile(one, jsonl({ id: "N1", title }));
      await Deno.writeTextFile(rest, jsonl({ id: "N2", title }, { id: "N3", title: "something else" }));
      await sid("--add", one, "--sids", sids, "--out", join(dir, "first"));
      await sid("--add", rest, "--sids", join(dir, "first"), "--out", join(dir, "second"));
      const read = (name: string) => Deno.readTextFile(join(dir, name, "index.json"));
      assert.equal(await read("second"), await read("longer"));
      await fails(
        ["--add", one, "--sids", longer, "--out", sids],
        /id "N1" is that of an item in the catalogue/,
      );
    });
  });
}

Deno.test("sid --add embeds with the provider of the id list, in the space of the old vectors", async () => {
  await withMatrices({}, {}, async (dir) => {
    const path = (name: string) => join(dir, name);
    const embed = ["--data", "synthetic", "--dim", "16", "--out", path("items.npy")];
    await run(embedTask, ...embed);
    await sid(
      "--embeddings",
      path("items.npy"),
      "--data",
      "synthetic",
      ...QUICK,
      "--out",
      path("sids"),
    );
    const title = (await sid("--inspect", "12", "--sids", path("sids")))[0].replace("item 12, id 12: ", "");
    const { brand, categories } = (await loadCorpus("synthetic")).items[12];
    await Deno.writeTextFile(path("new.jsonl"), jsonl({ id: "N1", title, brand, categories }));
    const lines = await sid("--add", path("new.jsonl"), "--sids", path("sids"), "--out", path("longer"));
    assert.ok(
      lines.some((line) => /^The old vectors were given back to (100\.0|99\.\d) %/.test(line)),
      lines.join("\n"),
    );
    const near = await sid("--inspect", "N1", "--sids", path("longer"), "--top", "1");
    assert.match(near[3].trim(), /^item +SID/);
    // "Torqand Wood Screw, 40 mm long" stands beside others that differ in their length alone.
    assert.ok(near[4].includes(title.split(",")[0]), near[4]);
  });
});

Deno.test("sid --add takes vectors of new items from files, without those of malformed lines", async () => {
  const collab = nested.map(([x, y]) => [y, x, 1]);
  await withMatrices({ "items.npy": nested, "bought.npy": collab }, {}, async (dir) => {
    const path = (name: string) => join(dir, name);
    const inputs = ["--embeddings", path("items.npy"), "--collab", path("bought.npy")];
    await sid(...inputs, "--levels", "2", "--codebook-size", "4", "--out", path("sids"));
    await Deno.writeTextFile(
      path("new.jsonl"),
      jsonl({ id: "A", title: "one" }) + "oops\n" + jsonl({ id: "B", title: "two" }),
    );
    await Deno.writeFile(path("new.npy"), npyOf([[3, 4], [0, 0], [0, -2]]));
    const add = ["--add", path("new.jsonl"), "--sids", path("sids"), "--out", path("longer")];
    await fails(add, /1 of 3 lines are malformed:\n {2}line 2: no JSON, "oops"/);
    await fails([...add, "--max-bad-lines", "1"], /nothing tells what made .*items\.npy/);
    await fails(
      [...add, "--max-bad-lines", "1", "--embeddings", path("bought.npy")],
      /it is \(16, 3\), expected \(3, 2\)/,
    );
    assert.equal(filesIn(path("longer")), undefined, "nothing is written");

    const lines = await sid(...add, "--max-bad-lines", "1", "--embeddings", path("new.npy"));
    assert.ok(lines.includes('Left out line 2: no JSON, "oops"'));
    const { data, shape } = readNpy(await Deno.readFile(path("longer/items.npy")));
    assert.deepEqual(shape, [18, 5]);
    // Scaled like the old ones; nobody bought them yet.
    assert.deepEqual([...data.subarray(16 * 5)], [...Float32Array.of(0.6, 0.8, 0, 0, 0, 0, -1, 0, 0, 0)]);
    const added = (await Deno.readTextFile(path("longer/added.jsonl"))).trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.deepEqual(added.map(({ item, id, title }) => [item, id, title]), [[16, "A", "one"], [
      17,
      "B",
      "two",
    ]]);
  });
});

Deno.test("sid --add and --inspect refuse a folder whose files are of different runs", async () => {
  await withMatrices({ "items.npy": nested, "fewer.npy": nested.slice(1) }, {}, async (dir) => {
    const sids = join(dir, "sids");
    await sid("--embeddings", join(dir, "items.npy"), "--levels", "2", "--codebook-size", "4", "--out", sids);
    await fails(
      ["--inspect", "1", "--sids", sids, "--data", "synthetic"],
      /it has 600 items, the SIDs were made for 16/,
    );
    await Deno.copyFile(join(dir, "fewer.npy"), join(sids, "items.npy"));
    await fails(
      ["--inspect", "1", "--sids", sids],
      /items\.npy: it has 15 rows, expected one for each of 16 items/,
    );
  });
});

Deno.test("sid --add refuses codebooks that are not numbers and codewords that no level has", async () => {
  await withSynthetic([], async (dir) => {
    const sids = join(dir, "sids"), fresh = join(dir, "new.jsonl"), out = join(dir, "out");
    Deno.writeTextFileSync(fresh, jsonl({ id: "n1", title: "a new item" }));
    const add = ["--add", fresh, "--sids", sids, "--data", "synthetic", "--out", out];
    const codes = join(sids, "codes.npy"), sound = Deno.readFileSync(codes);
    for (const codeword of [99999, -7]) {
      const bytes = sound.slice();
      new DataView(bytes.buffer).setInt32(bytes.length - 4, codeword, true);
      Deno.writeFileSync(codes, bytes);
      await fails(
        add,
        new RegExp(`codes\\.npy: row 599 has codeword ${codeword} on level 3, expected 0 to 15`),
      );
    }
    Deno.writeFileSync(codes, sound);
    const books = join(sids, "codebooks.safetensors"), damaged = Deno.readFileSync(books);
    new DataView(damaged.buffer).setFloat32(damaged.length - 4, NaN, true);
    Deno.writeFileSync(books, damaged);
    await fails(add, /codebooks\.safetensors: tensor \S+ holds NaN at \d+, expected finite numbers/);
    assert.equal(filesIn(out), undefined);
  });
});
