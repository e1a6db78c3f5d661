import { deepStrictEqual, rejects, strictEqual, throws } from "node:assert/strict";
import {
  formatIndex,
  formatNewTokens,
  type IndexStyle,
  loadIndex,
  newTokens,
  offsetCodes,
} from "../../../data/formats/index_file.ts";
import { UserError } from "../../../base/user_error.ts";
import { realData } from "../downloaded.ts";

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

Deno.test("loadIndex() refuses a key that stands twice, and codewords that would take a table of millions of rows", async () => {
  await refuses('{"0": ["<a_0>"], "0": ["<a_1>"]}', 1, /expected each key once, found "0"/);
  await refuses('{"0": ["<a_400000000>"]}', 1, /a token such as <a_12>, its codeword below 1,000,000, found/);
  await withIndex('{"0": ["<a_999999>"]}', async (path) => {
    deepStrictEqual(await loadIndex(path, 1), [["<a_999999>"]]);
  });
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
    /at \["0"\]\[1\]: expected a token such as <a_12>, its codeword below 1,000,000, found "b_2"/,
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

Deno.test("formatIndex() writes the same SIDs in every style", async () => {
  const sids = [["<a_1>", "<b_20>"], ["<a_0>", "<b_3>", "<c_4>"]];
  strictEqual(formatIndex(sids, "compact"), '{"0": ["<a_1>", "<b_20>"], "1": ["<a_0>", "<b_3>", "<c_4>"]}');
  strictEqual(formatIndex([["<a_1>"]], "indent2"), '{\n  "0": [\n    "<a_1>"\n  ]\n}');
  strictEqual(formatIndex([["<a_1>"]], "indent4"), '{\n    "0": [\n        "<a_1>"\n    ]\n}\n');
  for (const style of ["lines", "compact", "indent2", "indent4"] as const) {
    await withIndex(
      formatIndex(sids, style),
      async (path) => deepStrictEqual(await loadIndex(path, 2), sids),
    );
  }
});

Deno.test("newTokens() lists every token once, by text or by number", () => {
  const sids = [["<a_2>", "<b_0>"], ["<a_10>", "<b_0>", "<c_7>"], ["<a_1>", "<b_3>"]];
  deepStrictEqual(newTokens(sids), ["<a_10>", "<a_1>", "<a_2>", "<b_0>", "<b_3>", "<c_7>"]);
  deepStrictEqual(newTokens(sids, "number"), ["<a_1>", "<a_2>", "<a_10>", "<b_0>", "<b_3>", "<c_7>"]);
  throws(() => newTokens([["a_1"]]), /Cannot use SID token "a_1": expected a token such as <a_12>/);
});

Deno.test("offsetCodes() shifts every codeword and refuses to go below 0", () => {
  const sids = [["<a_0>", "<b_9>"], ["<a_255>", "<b_1>", "<c_1>"]];
  const shifted = offsetCodes(sids, 1);
  deepStrictEqual(shifted, [["<a_1>", "<b_10>"], ["<a_256>", "<b_2>", "<c_2>"]]);
  deepStrictEqual(offsetCodes(shifted, -1), sids);
  throws(() => offsetCodes(sids, -1), /codes of item 0 by -1: <a_0> would fall below 0/);
});

const published: [dataset: string, file: string, items: number, style: IndexStyle][] = [
  ["minionerec-industrial", "index.json", 3686, "compact"],
  ["minionerec-industrial", "index.constrained.json", 3686, "indent2"],
  ["mimigenrec-industrial", "id2sid.json", 3686, "indent4"],
  ["letter-instruments", "index.json", 9922, "compact"],
];
for (const [dataset, file, items, style] of published) {
  const dir = realData(dataset);
  Deno.test({
    name: `formatIndex() gives the bytes of ${dataset}'s ${file}`,
    ignore: dir === undefined,
    async fn() {
      const sids = await loadIndex(`${dir}/${file}`, items);
      strictEqual(formatIndex(sids, style), await Deno.readTextFile(`${dir}/${file}`));
    },
  });
}

const mimigenrec = realData("mimigenrec-industrial");
Deno.test({
  name: "newTokens() gives the bytes of the published new_tokens.json",
  ignore: mimigenrec === undefined,
  async fn() {
    const sids = await loadIndex(`${mimigenrec}/id2sid.json`, 3686);
    strictEqual(
      formatNewTokens(newTokens(sids)),
      await Deno.readTextFile(`${mimigenrec}/new_tokens.json`),
    );
  },
});
