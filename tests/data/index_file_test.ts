import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { formatIndex, loadIndex } from "../../data/index_file.ts";
import { UserError } from "../../data/user_error.ts";

async function withIndex(text: string, use: (path: string) => Promise<void>) {
  const path = await Deno.makeTempFile({ suffix: ".index.json" });
  try {
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

async function refuses(text: string, itemCount: number, message: RegExp) {
  await withIndex(text, async (path) => {
    await rejects(loadIndex(path, itemCount), (error) => {
      if (!(error instanceof UserError) || !error.message.includes(path)) return false;
      return message.test(error.message) || (console.log(error.message), false);
    });
  });
}

Deno.test("loadIndex() gives back what formatIndex() wrote", async () => {
  const sids = [["<a_1>", "<b_20>"], ["<a_0>", "<b_3>", "<c_4>"]];
  strictEqual(formatIndex(sids), '{\n"0": ["<a_1>", "<b_20>"],\n"1": ["<a_0>", "<b_3>", "<c_4>"]\n}\n');
  await withIndex(formatIndex(sids), async (path) => deepStrictEqual(await loadIndex(path, 2), sids));
});

Deno.test("loadIndex() reads keys in any order", async () => {
  await withIndex('{"1": ["<a_1>"], "0": ["<a_0>"]}', async (path) => {
    deepStrictEqual(await loadIndex(path, 2), [["<a_0>"], ["<a_1>"]]);
  });
});

Deno.test("loadIndex() names the count, key or token that is wrong", async () => {
  await refuses('{"0": ["<a_1>"]}', 2, /SIDs of 2 items as in the dataset, found 1\. Use the index/);
  await refuses('{"0": ["<a_1>"], "2": ["<a_2>"]}', 2, /expected keys 0 to 1 .* found no key "1"/);
  await refuses('{"0": ["<a_1>"], "x": ["<a_2>"]}', 2, /expected item numbers as keys, found "x"/);
  await refuses(
    '{"0": ["<a_1>", "b_2"]}',
    1,
    /at \["0"\]\[1\]: expected a token such as <a_12>, found "b_2"/,
  );
  await refuses('{"0": []}', 1, /at \["0"\]: expected at least one token, found \[\]/);
  await refuses('{"0": "<a_1>"}', 1, /at \["0"\]: expected array, found "<a_1>"/);
  await refuses('{"0": ["<a_1>"]', 1, /expected JSON, but/);
});

Deno.test("loadIndex() says that a file is missing or not UTF-8", async () => {
  await rejects(
    loadIndex("/nowhere/index.json", 1),
    /^UserError: Cannot read \/nowhere\/index.json: no such file/,
  );
  await withIndex("", async (path) => {
    await Deno.writeFile(path, Uint8Array.of(0x7b, 0xff, 0x7d));
    await rejects(loadIndex(path, 1), /expected UTF-8 text/);
  });
});
