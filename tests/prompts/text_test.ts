import assert from "node:assert/strict";
import { loadDataset } from "../../data/formats/load.ts";
import { possibleTasks } from "../../prompts/rows/task_plan.ts";
import { alignmentSource } from "../../prompts/rows/source.ts";
import type { TaskInput } from "../../prompts/tasks/task.ts";
import { genrecTemplates } from "../../prompts/built_in.ts";
import type { Prompts } from "../../prompts/prompts.ts";
import { textPrompts } from "../../prompts/text.ts";
import { realData } from "../data/downloaded.ts";
import fc from "../property.ts";
import { promptsOf, workshop } from "./workshop.ts";

/** Place of `part` in `whole`, -1 where it is not there. */
function placeOf(part: Uint32Array, whole: Uint32Array): number {
  for (let start = 0; start + part.length <= whole.length; start++) {
    if (part.every((token, i) => whole[start + i] === token)) return start;
  }
  return -1;
}

/**
 * No prompt has the answer in it: the tokens of the answer, without the end of the frame, do not occur there, unless an
 * entry of the history has the very text that is the answer, since people buy again, or the words that all prompts of
 * the task have in common do.
 */
function checkNoLeaks(input: TaskInput, prompts: Prompts, step: number): void {
  for (const task of possibleTasks(input, prompts)) {
    const examples = task.examples(input);
    assert.ok(examples.count > 0, task.name);
    const blank = Object.fromEntries(task.question.map((slot) => [slot, ""]));
    const words = prompts.tokenizer.decode(prompts.prompt(task, blank)!, true);
    for (let i = 0; i < examples.count; i += step) {
      const { question, answer } = examples.example(i);
      const prompt = prompts.prompt(task, question, i)!;
      for (const text of Object.values(answer) as string[]) {
        const entries = Object.values(question).filter((slot) => typeof slot !== "string").flat();
        if (words.includes(text) || entries.some((entry) => entry.includes(text))) continue;
        const tokens = prompts.tokenizer.encode(text, { addSpecialTokens: false });
        assert.equal(placeOf(tokens, prompt), -1, `${task.name} row ${i} holds ${text}`);
      }
    }
  }
}

/** The same tokens in the rows to train on and where a model is asked, whatever the room. */
function checkSame(input: TaskInput, prompts: Prompts, step: number): void {
  const { train } = input.dataset.samples;
  for (const task of possibleTasks(input, prompts).filter(({ nextItem }) => nextItem !== undefined)) {
    for (const maxLength of [512, 70]) {
      const source = alignmentSource({ ...input, prompts, tasks: { [task.name]: 1 }, maxLength });
      const ask = textPrompts({ ...input, prompts, maxLength, task: task.name, end: true });
      let row = 0;
      for (const [i, sample] of train.entries()) {
        let expected: Uint32Array;
        try {
          expected = ask.prompt(sample.history, sample);
        } catch {
          continue; // no room, and no row
        }
        if (i % step === 0) {
          assert.deepEqual(source.prompt(row), expected, `${task.name}, sample ${i}`);
          assert.deepEqual(source.target(row), ask.itemTokens[sample.target]);
        }
        row++;
      }
      assert.equal(row, source.count, task.name);
    }
  }
}

Deno.test("prompts of training, reinforcement, evaluation and recommendation are the same tokens", async () => {
  const { input, prompts } = await workshop();
  checkSame(input, prompts, 1);
});

Deno.test("no prompt of any task has its answer in it", async () => {
  const { input, prompts } = await workshop();
  assert.equal(possibleTasks(input, prompts).length, 14);
  checkNoLeaks(input, prompts, 1);
});

Deno.test("a prompt depends on nothing but its question, whatever the answer", async () => {
  const { input, prompts } = await workshop();
  const tasks = possibleTasks(input, prompts);
  fc.assert(fc.property(fc.nat(), fc.nat(), fc.nat(), (t, a, b) => {
    const task = tasks[t % tasks.length], examples = task.examples(input);
    const one = examples.example(a % examples.count), other = examples.example(b % examples.count);
    const texts = prompts.texts(task, one);
    const swapped = prompts.texts(task, { ...one, answer: other.answer });
    assert.deepEqual(swapped.slice(0, -1), texts.slice(0, -1));
    assert.equal(swapped.at(-1), prompts.texts(task, other).at(-1));
  }));
});

const industrial = realData("minionerec-industrial");
Deno.test({
  name: "Industrial: the same tokens everywhere, and no answer in a prompt",
  ignore: industrial === undefined,
  async fn() {
    const dataset = await loadDataset(industrial!);
    dataset.samples.train = dataset.samples.train.filter((_, i) => i % 499 === 0);
    const { input, prompts } = await workshop(dataset, { title: 12, description: 12 });
    checkNoLeaks({ ...input, preferences: [], rows: [] }, prompts, 5);
    checkSame(input, prompts, 1);
  },
});

Deno.test("what a model writes for an item ends with its SID, or with the frame where one SID begins another", async () => {
  const { input, prompts, tokenizer } = await workshop();
  const ids = (text: string) => [...tokenizer.encode(text)];
  const plain = textPrompts({ ...input, prompts });
  assert.equal(plain.vocabulary, tokenizer.vocabulary);
  assert.deepEqual([...plain.itemTokens[3]], ids(input.texts.sids[3]));
  const sids = input.dataset.sids!.map((sid, item) => item === 3 ? sid.slice(0, 2) : sid);
  const dataset = { ...input.dataset, sids };
  const shorter = await workshop(dataset);
  const mixed = textPrompts({ ...shorter.input, prompts: shorter.prompts });
  assert.deepEqual([...mixed.itemTokens[3]], [
    ...shorter.tokenizer.encode(`${sids[3].join("")}<|endoftext|>`),
  ]);
  const typed = textPrompts({ ...input, prompts, task: "heterogeneous" });
  assert.deepEqual([...typed.itemTokens[3]], ids(`[I_TOKEN]${input.texts.sids[3]}`));
  assert.equal(
    tokenizer.decode(typed.prompt([4], { userToken: "[USER_HIGH_RATING]" }), true),
    `Next kind and item\n[USER_HIGH_RATING][O_TOKEN]${input.texts.sids[4]}\n`,
  );
});

Deno.test("tasks without a SID for an answer, unknown indexes and no room are refused", async () => {
  const { input, prompts } = await workshop();
  const refused = (options: object, message: RegExp) =>
    assert.throws(() => textPrompts({ ...input, prompts, ...options }).prompt([1, 2]), {
      name: "UserError",
      message,
    });
  refused(
    { task: "sid-to-title" },
    /its answers are not SIDs. Use description-to-sid, heterogeneous, next-item, preference-to-sid/,
  );
  refused({ maxLength: 8 }, /has no room in 8 tokens/);
  const { tokenizer } = prompts;
  const other = promptsOf(tokenizer, {
    templates: { ...genrecTemplates, tasks: { "next-item": genrecTemplates.tasks["next-item"] } },
  });
  refused({ prompts: other, task: "titles-to-sid" }, /Cannot word task titles-to-sid/);
});
