import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { mimigenrecWriter as writer } from "../../../../data/formats/mimigenrec/write.ts";
import { loadCorpus } from "../../../../data/formats/load.ts";
import { mimigenrecFormat } from "../../../../data/formats/mimigenrec/read.ts";
import { trickyCorpus } from "../../convert/tricky_corpus.ts";
import { written } from "../../convert/written.ts";
import { type Files, withFiles } from "../minionerec/fixture.ts";

const json = (value: unknown) => JSON.stringify(value, null, 2) + "\n";
const sft = (input: string, output: string) => ({
  system: "Be brief.",
  instruction: "Answer.",
  input,
  output,
});
const rl = (content: string, ground_truth: string, index: number) => ({
  data_source: "Toys",
  prompt: [{ role: "system", content: "Be brief." }, { role: "user", content }],
  ability: "seq_rec",
  reward_model: { style: "rule", ground_truth },
  extra_info: { split: "train", index, task: "task1_sid_sft" },
});

/** Items 0 and 2 share a SID. Rows are shuffled; SFT has one of another task, RL one sample more. */
const files: Files = {
  "id2sid.json": json({ 0: ["<a_1>", "<b_0>"], 1: ["<a_2>", "<b_0>"], 2: ["<a_1>", "<b_0>"] }),
  "new_tokens.json": json(["<a_1>", "<a_2>", "<b_0>"]),
  "sft/train.json": json([
    sft("After <a_2><b_0>, <a_1><b_0> comes?", "<a_2><b_0>"),
    sft('Title of "<a_1><b_0>"?', "Blue Tape"),
    sft("After <a_2><b_0> comes?", "<a_1><b_0>"),
  ]),
  "rl/train.json": json([
    rl("After <a_2><b_0>, <a_1><b_0> comes?", "<a_2><b_0>", 1),
    rl("And after <a_1><b_0>?", "<a_1><b_0>", 2),
    rl("After <a_2><b_0> comes?", "<a_1><b_0>", 0),
  ]),
};

Deno.test("mimigenrec puts samples in the order before the shuffle and pairs the rows of both stages", async () => {
  await withFiles(files, async (dir) => {
    ok(await mimigenrecFormat.recognises(dir));
    const { name, samples, users, attachments } = await loadCorpus(dir);
    strictEqual(name, "Toys");
    deepStrictEqual(samples.train, [
      {
        user: 0,
        history: [1],
        target: 0,
        attributes: { mimigenrec: { sft: { row: 2, wording: 0 }, rl: { row: 2, wording: 1 } } },
      },
      {
        user: 1,
        history: [1, 0],
        target: 1,
        attributes: { mimigenrec: { sft: { row: 0, wording: 0 }, rl: { row: 0, wording: 1 } } },
      },
      {
        user: 2,
        history: [0],
        target: 0,
        attributes: { mimigenrec: { sft: null, rl: { row: 1, wording: 2 } } },
      },
    ]);
    strictEqual(users.length, 3);
    deepStrictEqual(JSON.parse(attachments["mimigenrec/wordings.json"]), [
      { system: "Be brief.", instruction: "Answer.", input: "After {history} comes?" },
      { system: "Be brief.", input: "After {history} comes?" },
      { system: "Be brief.", input: "And after {history}?" },
    ]);
    deepStrictEqual(JSON.parse(attachments["mimigenrec/other/sft/train.json"]), [
      sft('Title of "<a_1><b_0>"?', "Blue Tape"),
    ]);
  });
});

Deno.test("mimigenrec rows come back where they stood", async () => {
  await withFiles(files, async (dir) => {
    await written(await loadCorpus(dir), writer, async (out) => {
      for (const name of ["sft/train.json", "rl/train.json", "new_tokens.json"]) {
        strictEqual(await Deno.readTextFile(`${out}/${name}`), files[name], name);
      }
    });
  });
});

Deno.test("mimigenrec rows in our own wording need no attributes", async () => {
  await written(trickyCorpus(), writer, async (dir) => {
    const { samples, attachments } = await loadCorpus(dir);
    for (const rows of Object.values(samples)) {
      for (const { attributes } of rows) strictEqual(attributes, undefined);
    }
    deepStrictEqual(attachments, {});
    const [first] = JSON.parse(await Deno.readTextFile(`${dir}/sft/test.json`));
    strictEqual(
      first.input,
      "Products that the customer took, oldest first: <a_10><b_7><c_2>, <a_2><b_0>. Which one is next?",
    );
    // Two questions an item and one a sample; for RL one a sample, one a title, one a description.
    const count = async (name: string) => JSON.parse(await Deno.readTextFile(`${dir}/${name}`)).length;
    strictEqual(await count("sft/train.json"), 2 + 2 * 5 + 2);
    strictEqual(await count("rl/train.json"), 2 + 2 + 5 + 2);
  });
});

Deno.test("mimigenrec names the row of an unknown SID, the field of a wrong row and a missing token", async () => {
  const cases: [Files, RegExp][] = [
    [
      { "sft/train.json": json([sft("<a_9><b_0>", "<a_1><b_0>")]) },
      /sft\/train\.json row 0: expected a SID of id2sid\.json, found "<a_9><b_0>"/,
    ],
    [
      { "rl/train.json": json([{ ...rl("", "", 0), ability: 7 }]) },
      /rl\/train\.json at \[0\]\["ability"\]: expected string/,
    ],
    [{ "new_tokens.json": json(["<a_1>", "<b_0>"]) }, /every token of id2sid\.json, found "no <a_2>"/],
  ];
  for (const [change, message] of cases) {
    await withFiles({ ...files, ...change }, async (dir) => await rejects(loadCorpus(dir), message));
  }
});
