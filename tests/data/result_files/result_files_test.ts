import assert from "node:assert/strict";
import { mimigenrecResults } from "../../../data/formats/mimigenrec/results.ts";
import { minionerecResults } from "../../../data/formats/minionerec/results.ts";
import { readResults } from "../../../data/result_files/read.ts";
import { UserError } from "../../../base/user_error.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";

const ROW = { input: "took <a_1><b_2>", output: "<a_1><b_3>\n", predict: ["<a_1><b_3>", "<a_2><b_2>"] };
const OTHER = { ...ROW, input: "took <a_2><b_2>" };

async function read(files: Record<string, unknown>) {
  const texts = Object.entries(files).map(([name, content]) => [
    name,
    typeof content === "string" ? content : JSON.stringify(content),
  ]);
  let rows: Awaited<ReturnType<typeof readResults>> = [];
  await withFiles(Object.fromEntries(texts), async (dir) => {
    rows = await readResults(Object.keys(files).map((name) => `${dir}/${name}`));
  });
  return rows;
}

Deno.test("readResults() reads shards of both projects in order, without quotes, line ends and blanks", async () => {
  const foreign = {
    system: "",
    instruction: "",
    ...OTHER,
    output: ' "<a_4><b_0>" \n',
    predict: ["<a_1> \n", '"x"'],
  };
  const rows = await read({ "b.json": [ROW], "a.json": [foreign, ROW] });
  assert.deepEqual(rows.map(({ place, ...row }) => ({ ...row, place: place.replace(/^.*\//, "") })), [
    { place: "b.json row 1", input: ROW.input, target: "<a_1><b_3>", predictions: ROW.predict },
    { place: "a.json row 1", input: OTHER.input, target: "<a_4><b_0>", predictions: ["<a_1>", "x"] },
    { place: "a.json row 2", input: ROW.input, target: "<a_1><b_3>", predictions: ROW.predict },
  ]);
});

Deno.test("readResults() says what is wrong with a file", async () => {
  const refuses = (files: Record<string, unknown>, message: RegExp) =>
    assert.rejects(read(files), (error) => error instanceof UserError && message.test(error.message));
  await refuses({ "a.json": [] }, /a\.json: it has no rows/);
  await refuses({ "a.json": '[{"input": "' }, /a\.json: expected JSON, but Unterminated string/);
  await refuses(
    { "a.json": [ROW, { ...ROW, predict: undefined }] },
    /a\.json at \[1\]\["predict"\]: expected array/,
  );
  await refuses({ "a.json": [{ ...ROW, predict: [] }] }, /a\.json row 1: it has no predictions/);
  await refuses({ "a.json": { ...ROW } }, /a\.json: expected array/);
  await refuses({ "a.jsonl": JSON.stringify(ROW) }, /a\.jsonl: expected a JSON list.*metrics\.json/);
  await refuses(
    { "a.json": [ROW], "b.json": [OTHER, { ...ROW, predict: ["x"] }] },
    /b\.json row 2: 1 predictions, .*a\.json row 1 has 2/,
  );
  await refuses(
    { "a.json": [ROW, OTHER], "b.json": [ROW, OTHER] },
    /b\.json: its 2 rows are those of .*a\.json/,
  );
});

const RANKED = { history: ["<a_1>", "<a_2>"], target: "<a_3>", predictions: ["<a_1>", "<a_3>"] };

Deno.test("minionerec rows have question, target with line end, and predictions", () => {
  const { input, ...rest } = minionerecResults.row(RANKED);
  assert.match(String(input), /<a_1>, <a_2>/);
  assert.deepEqual(rest, { output: "<a_3>\n", predict: ["<a_1>", "<a_3>"] });
  assert.deepEqual(minionerecResults.summary({ hr: { 1: 1 }, ndcg: { 1: 1 } }, "x"), []);
});

Deno.test("mimigenrec rows are test rows with predictions, metrics have four decimals", () => {
  const row = mimigenrecResults.row(RANKED);
  assert.deepEqual(Object.keys(row), ["system", "instruction", "input", "output", "predict"]);
  assert.match(String(row.input), /<a_1>, <a_2>/);
  assert.deepEqual([row.output, row.predict], ["<a_3>", RANKED.predictions]);
  const means = { hr: { 1: 1 / 3, 5: 2 / 3 }, ndcg: { 1: 1 / 3, 5: 0.4768923 } };
  const [[metrics, json], [table, tsv]] = mimigenrecResults.summary(means, "eval/final_result.json");
  assert.deepEqual([metrics, table], ["metrics.json", "metrics.tsv"]);
  assert.deepEqual(JSON.parse(json), { "HR@1": 0.3333, "HR@5": 0.6667, "NDCG@1": 0.3333, "NDCG@5": 0.4769 });
  assert.equal(
    tsv,
    "path\tHR@1\tHR@5\tNDCG@1\tNDCG@5\neval/final_result.json\t0.3333\t0.6667\t0.3333\t0.4769\n",
  );
});
