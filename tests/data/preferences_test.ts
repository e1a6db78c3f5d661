import assert from "node:assert/strict";
import { readPreferences } from "../../data/preferences.ts";
import { readSftRows } from "../../data/formats/mimigenrec/sft_rows.ts";

async function written(text: string): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(path, text);
  return path;
}

const row = (change: object = {}) => ({
  user: "A1",
  split: "train",
  user_preference: " likes blue ",
  context: { history_items: ["0", 2], target_item: 1 },
  ...change,
});

Deno.test("preferences are read from JSON and from JSON lines, train rows with a text alone", async () => {
  const rows = [row(), row({ split: "test" }), row({ user_preference: " " })];
  const expected = [{ user: "A1", text: "likes blue", history: [0, 2], target: 1 }];
  assert.deepEqual(await readPreferences(await written(JSON.stringify(rows)), 3), expected);
  const tested = [row({ user: 7, split: "test" }), row({ user: undefined, split: "test" }), row()];
  const [{ text, history, target }] = expected;
  assert.deepEqual(await readPreferences(await written(JSON.stringify(tested)), 3, "test"), [
    { user: "7", text, history, target },
    { text, history, target },
  ]);
  const lines = rows.map((row) => JSON.stringify(row)).join("\n") + "\n";
  assert.deepEqual(await readPreferences(await written(lines), 3), expected);
});

Deno.test("a preference that is incomplete or of another catalogue is named by row and field", async () => {
  const cases: [unknown, RegExp][] = [
    [row({ user_preference: 3 }), /row 1, column user_preference: expected text, found 3/],
    [row({ context: { history_items: [0] } }), /row 1, column context\.target_item/],
    [
      row({ context: { history_items: [0, 3], target_item: 1 } }),
      /row 1, column context: expected item numbers from 0 to 2, found 3/,
    ],
  ];
  for (const [bad, message] of cases) {
    const path = await written(JSON.stringify([row(), bad]));
    await assert.rejects(readPreferences(path, 3), { name: "UserError", message }, String(message));
  }
  await assert.rejects(readPreferences(await written("[1,"), 3), {
    name: "UserError",
    message: /expected JSON/,
  });
  await assert.rejects(readPreferences(await written('{}\n{"a'), 3), {
    name: "UserError",
    message: /line 2/,
  });
});

Deno.test("rows of an sft file are taken as they are", async () => {
  const rows = [{ system: "S", instruction: "Do", input: "it ", output: "<a_1>" }, {
    input: "i",
    output: "o",
    more: 1,
  }];
  assert.deepEqual(await readSftRows(await written(JSON.stringify(rows))), [
    rows[0],
    { system: "", instruction: "", input: "i", output: "o" },
  ]);
});

Deno.test("a row of an sft file with a field missing is named by row and field", async () => {
  const good = { input: "i", output: "o" };
  const cases: [unknown, RegExp][] = [
    [{ input: "i" }, /row 1, column output: expected text, found/],
    [{ ...good, instruction: 7 }, /row 1, column instruction: expected text, found 7/],
    ["text", /row 1: expected an object with input and output, found "text"/],
  ];
  for (const [bad, message] of cases) {
    const path = await written(JSON.stringify([good, bad]));
    await assert.rejects(readSftRows(path), { name: "UserError", message }, String(message));
  }
});
