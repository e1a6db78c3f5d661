import assert from "node:assert/strict";
import type { SftTextRow } from "../../../data/formats/mimigenrec/sft_rows.ts";
import { readSftRows } from "../../../data/formats/mimigenrec/sft_rows.ts";
import { loadDataset } from "../../../data/formats/load.ts";
import { nextItem } from "../../../prompts/tasks/next_item.ts";
import { genrecTemplates } from "../../../prompts/built_in.ts";
import { rows as rowsTask } from "../../../prompts/tasks/rows.ts";
import { rowWordings, withInstructions } from "../../../prompts/rows/row_wordings.ts";
import { textPrompts } from "../../../prompts/text.ts";
import { realData } from "../../data/downloaded.ts";
import { promptsOf, tinyTokenizer, workshop } from "../workshop.ts";
import { ItemTexts } from "../../../prompts/rows/item_texts.ts";

const SIDS = ["<a_1><b_1>", "<a_1><b_2>", "<a_2><b_1>", "<a_2><b_1><c_1>"];
const [A, B, C] = SIDS;

function row(input: string, output = A, instruction = "Name it.", system = "Help {all}."): SftTextRow {
  return { system, instruction, input, output };
}

Deno.test("rowWordings() finds what stands around and between the SIDs of a history, most frequent first", () => {
  const found = rowWordings([
    row(`Took ${A}; ${B} so far.`),
    row(`Took ${B} so far.`, B),
    row(`Took ${C}; ${A}; ${A} so far.`),
    row(`${A} ${C}?`, A, "Which?"),
    row(`${B} ${C}?`, C, "Which?"),
    // Neither asks for the SID of the next item.
    row(`Title of "${A}"?`, "Blue Tape"),
    row("Which is Blue Tape?", A),
  ], SIDS);
  assert.deepEqual(found, [
    {
      system: "Help {{all}}.",
      instruction: "Name it.",
      input: "Took {history} so far.",
      output: "{sid}",
      join: "; ",
      rows: 3,
    },
    {
      system: "Help {{all}}.",
      instruction: "Which?",
      input: "{history}?",
      output: "{sid}",
      join: " ",
      rows: 2,
    },
  ]);
});

Deno.test("rowWordings() takes quotes, line ends and SIDs end to end, the longest where one begins another", () => {
  const [{ input, output, join }] = rowWordings([row(`After "${A}", "${B}":`, `"${C}"\n`)], SIDS);
  assert.deepEqual([input, output, join], ['After "{history}":', '"{sid}"\n', '", "']);
  const [end] = rowWordings([row(`${SIDS[3]}${B}`)], SIDS);
  assert.deepEqual([end.input, end.join], ["{history}", ""]);
});

Deno.test("rowWordings() finds nothing where each row has a text of its own, lists of two kinds or other SIDs", () => {
  const of = (...rows: SftTextRow[]) => rowWordings(rows, SIDS);
  assert.deepEqual(of(row(`User 1 took ${A}, ${B}`), row(`User 2 took ${A}, ${B}`)), []);
  assert.deepEqual(of(row(`Took ${A}, ${B} and viewed ${C}`)), []);
  assert.deepEqual(of(row(`Took ${A}, <a_9><b_9>`)), []);
  assert.deepEqual(of(), []);
});

Deno.test("rowWordings() prefers words around lists to those around one SID, which may ask for something else", () => {
  const alike = [A, B, C].map((sid) => row(`What is like ${sid}?`));
  const found = rowWordings([...alike, row(`Took ${A}, ${B}`), row(`Took ${B}, ${C}`)], SIDS);
  assert.deepEqual(found.map(({ input, rows }) => [input, rows]), [
    ["Took {history}", 2],
    ["What is like {history}?", 3],
  ]);
});

Deno.test("withInstructions() words rows of reinforcement as the rows of training, others not", () => {
  const words = rowWordings([
    row(`Took ${A}, ${B}`, A, "Name {it}."),
    row(`Took ${B}, ${A}`, A, "Name {it}."),
  ], SIDS);
  const instructions = (rows: SftTextRow[]) =>
    withInstructions(rows, words, SIDS).map(({ instruction }) => instruction);
  const rows = [row(`Took ${C}, ${B}`, A, ""), row(`Seen ${C}, ${B}`, A, ""), row(`Took ${A}`, A, "Own.")];
  assert.deepEqual(instructions(rows), ["Name {it}.", "", "Own."]);
});

Deno.test("the next item is asked for in the very tokens of the rows, system included", async () => {
  const { input, tokenizer } = await workshop();
  const { sids } = input.texts;
  const files: SftTextRow[] = [[3, 7, 9], [4], [5, 6]].map((history) => ({
    system: "You know {this} shop.",
    instruction: "Say what is next",
    input: `Taken in this order: ${history.map((item) => sids[item]).join(", ")}. Next?`,
    output: sids[8],
  }));
  const [words] = rowWordings(files, sids);
  const frame = { system: "{system}\n", prompt: ["{instruction}\n", "{input}\n"] };
  const tasks = { ...genrecTemplates.tasks, [nextItem.name]: words };
  const prompts = promptsOf(tokenizer, { templates: { ...genrecTemplates, frame, tasks } });
  const asked = textPrompts({ ...input, prompts });
  const { example } = rowsTask.examples({ ...input, rows: files });
  for (const [i, history] of [[3, 7, 9], [4], [5, 6]].entries()) {
    const row = prompts.prompt(rowsTask, example(i).question)!;
    assert.deepEqual(asked.prompt(history), row);
    assert.equal(
      tokenizer.decode(row, true),
      `You know {this} shop.\nSay what is next\n${files[i].input}\n`,
    );
  }
  assert.deepEqual(prompts.target(rowsTask, example(0).answer), prompts.target(nextItem, { sid: sids[8] }));
});

const mimigenrec = realData("mimigenrec-industrial");

Deno.test({
  name: "MIMIGenRec's published rows are asked as they stand in the file",
  ignore: mimigenrec === undefined,
  async fn() {
    const dataset = await loadDataset(mimigenrec!);
    const sids = dataset.sids!, tokenizer = await tinyTokenizer(...sids.flat());
    const files = await readSftRows(`${mimigenrec}/sft/valid.json`);
    const found = rowWordings(files, sids.map((sid) => sid.join("")));
    assert.equal(found.length, 1);
    assert.deepEqual([found[0].rows, found[0].join], [4532, ", "]);
    const frame = { system: "{system}\n", prompt: ["{instruction}\n", "{input}\n"] };
    const prompts = promptsOf(tokenizer, {
      templates: { ...genrecTemplates, frame, tasks: { [nextItem.name]: found[0] } },
    });
    const texts = new ItemTexts(dataset, sids, tokenizer);
    const asked = textPrompts({ dataset, texts, maxHistory: 10, prompts });
    // Samples are in order of time, rows are shuffled.
    const rows = new Set(
      files.map(({ system, instruction, input }) => `${system}\n${instruction}\n${input}\n`),
    );
    for (const { history } of dataset.samples.valid.slice(0, 20)) {
      assert.ok(rows.has(tokenizer.decode(asked.prompt(history), true)));
    }
  },
});
