import assert from "node:assert/strict";
import { readRlRows } from "../../../../data/formats/mimigenrec/rl_rows.ts";

const SIDS = ["<a_0><b_0>", "<a_0><b_1>", "<a_1><b_0>", "<a_0><b_1>"];

const row = (change: object = {}) => ({
  data_source: "Toys",
  prompt: [
    { role: "system", content: "You sell toys." },
    { role: "user", content: "Taken: <a_1><b_0>, <a_0><b_1>. What next?" },
  ],
  ability: "seq_rec",
  reward_model: { style: "rule", ground_truth: "<a_0><b_0>" },
  extra_info: { split: "train", index: 3, task: "task1_sid_sft" },
  ...change,
});

async function read(...rows: unknown[]) {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify(rows));
    return await readRlRows(path, SIDS);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readRlRows() takes messages, ground truth and ability, and the history that a question tells of", async () => {
  const titles = [{ role: "user", content: 'After "Ball", what?' }];
  const two = [{ role: "user", content: "Is <a_0><b_0> before <a_1><b_0>?" }];
  const rows = await read(row(), row({ prompt: titles, ability: "seq_title2sid" }), row({ prompt: two }));
  assert.deepEqual(rows, [
    {
      system: "You sell toys.",
      instruction: "",
      input: "Taken: <a_1><b_0>, <a_0><b_1>. What next?",
      output: "<a_0><b_0>",
      history: [2, 1],
      kind: "seq_rec",
    },
    {
      system: "",
      instruction: "",
      input: 'After "Ball", what?',
      output: "<a_0><b_0>",
      history: [],
      kind: "seq_title2sid",
    },
    {
      system: "",
      instruction: "",
      input: "Is <a_0><b_0> before <a_1><b_0>?",
      output: "<a_0><b_0>",
      history: [],
      kind: "seq_rec",
    },
  ]);
});

Deno.test("readRlRows() names file, row and field of what does not fit", async () => {
  const user = { role: "user", content: "x" };
  const cases: [unknown, RegExp][] = [
    [7, /\.json at \[1\]: expected object, found 7/],
    [row({ prompt: "x" }), /at \[1\]\["prompt"\]: expected array, found "x"/],
    [row({ prompt: [user, user] }), /at \[1\]\["prompt"\]: expected one message of the user, and one of the/],
    [
      row({ prompt: [{ role: "user" }] }),
      /at \[1\]\["prompt"\]\[0\]\["content"\]: expected string, found undef/,
    ],
    [row({ reward_model: {} }), /at \[1\]\["reward_model"\]\["ground_truth"\]: expected string/],
    [
      row({ reward_model: { ground_truth: "<a_0><b_9>" } }),
      /at \[1\]\["reward_model"\]\["ground_truth"\]: expected a SID of the run's index, found "<a_0><b_9>"\. Use a run/,
    ],
  ];
  for (const [bad, message] of cases) {
    await assert.rejects(read(row(), bad), { name: "UserError", message }, String(message));
  }
});
