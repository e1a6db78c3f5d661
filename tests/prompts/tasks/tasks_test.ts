import assert from "node:assert/strict";
import { ALIGNMENT_TASKS, alignmentTask } from "../../../prompts/tasks/by_name.ts";
import { cutText } from "../../../prompts/rows/item_texts.ts";
import type { TaskInput } from "../../../prompts/tasks/task.ts";
import { genrecTemplates } from "../../../prompts/built_in.ts";
import fc from "../../property.ts";
import { END, smallShop, tinyTokenizer, workshop } from "../workshop.ts";

const rowsOf = (name: string, input: TaskInput) => {
  const { count, example, leftOut } = alignmentTask(name).examples(input);
  return { rows: Array.from({ length: count }, (_, i) => example(i)), leftOut };
};

Deno.test("every task but rows has a wording of ours, and its rows fill just the places that it names", async () => {
  const { input } = await workshop();
  for (const task of ALIGNMENT_TASKS) {
    assert.equal(Object.hasOwn(genrecTemplates.tasks, task.name), task.name !== "rows", task.name);
    assert.equal(task.missing(input), undefined, task.name);
    const isText = task.name !== "rows" && !task.answer.includes("sid");
    assert.deepEqual(
      isText ? [...task.question] : undefined,
      task.inWords && Object.keys(task.inWords.ask(input, [3])),
      task.name,
    );
    const { rows } = rowsOf(task.name, input);
    assert.ok(rows.length > 0, task.name);
    for (const { question, answer } of rows) {
      assert.deepEqual(Object.keys(question).sort(), [...task.question].sort(), task.name);
      assert.deepEqual(Object.keys(answer).sort(), [...task.answer].sort(), task.name);
    }
  }
  assert.throws(() => alignmentTask("next"), {
    name: "UserError",
    message: /no such task. Expected one of description-to-sid, .*next-item, /,
  });
});

Deno.test("rows say what the samples and the catalogue say", async () => {
  const { input } = await workshop();
  const { dataset: { samples: { train }, items }, texts: { sids } } = input;
  const place = train.findIndex(({ history }) => history.length > 4);
  const { history, target } = train[place];
  const latest = history.slice(-4);
  assert.deepEqual(rowsOf("next-item", input).rows[place], {
    question: { history: latest.map((item) => sids[item]) },
    answer: { sid: sids[target] },
    next: target,
    history: latest,
  });
  const title = (item: number) => input.texts.title(item);
  assert.ok(items[target].title.startsWith(title(target)));
  assert.deepEqual(rowsOf("titles-to-title", input).rows[place].question, { titles: latest.map(title) });
  assert.deepEqual(rowsOf("history-to-title", input).rows[place].answer, { title: title(target) });
  const [first] = rowsOf("reasoning-to-sid", input).rows;
  assert.deepEqual(first.answer, { reasoning: "likes kind 0", sid: sids[train[0].target] });
  assert.deepEqual(first.history, train[0].history.slice(-4));
});

Deno.test("the description of the next item and the taste of a user are asked by SIDs alone", async () => {
  const dataset = smallShop(), bare = dataset.samples.train[0].target;
  delete dataset.items[bare].description;
  const { input } = await workshop(dataset);
  const { samples: { train } } = dataset, { texts: { sids } } = input;
  const described = rowsOf("history-to-description", input);
  const without = train.filter(({ target }) => target === bare).length;
  assert.deepEqual(described.leftOut, { "no description": without });
  const [{ history, target }] = train.filter(({ target }) => target !== bare);
  assert.deepEqual(described.rows[0], {
    question: { history: history.slice(-4).map((item) => sids[item]) },
    answer: { description: input.texts.description(target) },
    next: target,
    history: history.slice(-4),
  });
  const latest = train[1].history.slice(-4);
  assert.deepEqual(rowsOf("history-to-preference", input).rows[1], {
    question: { history: latest.map((item) => sids[item]) },
    answer: { preference: "likes kind 1" },
    history: latest,
  });
});

Deno.test("tasks that evaluation asks have one instruction of ours, others several, all different", async () => {
  const { input, prompts, tokenizer } = await workshop();
  for (const { name, wording, nextItem } of ALIGNMENT_TASKS.filter(({ wording }) => wording)) {
    const instructions = [wording!.instruction ?? []].flat();
    assert.equal(instructions.length, nextItem ? 1 : 3, name);
    assert.equal(new Set(instructions).size, instructions.length, name);
  }
  const task = alignmentTask("sid-to-title"), { rows } = rowsOf("sid-to-title", input);
  const asked = [0, 1, 2, 3].map((row) =>
    tokenizer.decode(prompts.prompt(task, rows[0].question, row)!, true).split("\n")[0]
  );
  assert.deepEqual(asked, ["Title of", "Name of item", "What is this item called", "Title of"]);
});

Deno.test("a question with several right answers is asked once for each", async () => {
  const dataset = smallShop();
  dataset.items[7].title = dataset.items[9].title; // two SIDs with one title
  dataset.items[0].title = "Alone"; // items 0 and 1 share a SID
  dataset.items[1].title = "Other";
  dataset.items[21] = { ...dataset.items[20] };
  dataset.sids![21] = dataset.sids![20]; // nothing tells them apart
  const { input } = await workshop(dataset, { title: 99, description: 99 });
  const { title, sids } = { title: (item: number) => input.texts.title(item), sids: input.texts.sids };
  const byTitle = rowsOf("title-to-sid", input);
  assert.deepEqual(
    byTitle.rows.filter(({ question }) => question.title === title(7)).map(({ answer }) => answer.sid),
    [sids[7], sids[9]],
  );
  const bySid = rowsOf("sid-to-title", input);
  assert.deepEqual(
    bySid.rows.filter(({ question }) => question.sid === sids[0]).map(({ answer }) => answer.title),
    ["Alone", "Other"],
  );
  assert.equal(bySid.rows.length, 59);
  assert.deepEqual(bySid.leftOut, { "same question and answer": 1 });
});

Deno.test("items without a text are left out, of rows and of histories, and counted", async () => {
  const dataset = smallShop();
  const bare = dataset.samples.train[0].target;
  dataset.items[bare].title = `item ${bare}`;
  delete dataset.items[bare].description;
  const { input } = await workshop(dataset);
  assert.deepEqual(rowsOf("sid-to-title", input).leftOut, { "no title": 1 });
  assert.deepEqual(rowsOf("description-to-sid", input).leftOut["no description"], 1);
  const { train } = dataset.samples;
  const bought = train.filter(({ target }) => target === bare).length;
  assert.deepEqual(rowsOf("history-to-title", input).leftOut, { "no title": bought });
  assert.equal(rowsOf("history-to-title", input).rows.length, train.length - bought);
  for (const { question } of rowsOf("titles-to-sid", input).rows) {
    assert.ok(!(question.titles as string[]).includes(""));
  }
});

Deno.test("GPR's rows hold the columns of the data and make nothing up", async () => {
  const { input } = await workshop();
  const { dataset: { samples: { train } }, texts: { sids } } = input;
  const { rows } = rowsOf("heterogeneous", input);
  const { history, target } = train[0];
  const kind = (item: number) => (item % 3 === 0 ? "[I_TOKEN]" : "[O_TOKEN]") + sids[item];
  assert.deepEqual(rows[0], {
    question: { user: "[USER_HIGH_RATING]", context: "[CTX_SEARCH]", history: history.slice(-4).map(kind) },
    answer: { sid: kind(target) },
    next: target,
    history: history.slice(-4),
  });
  assert.deepEqual([rows[1].question.user, rows[1].question.context], ["[USER_UNKNOWN]", ""]);
  const task = alignmentTask("heterogeneous");
  assert.deepEqual(task.tokens!(input).length, 9);
  const odd = {
    ...input.dataset,
    samples: { ...input.dataset.samples, train: [{ ...train[0], contextToken: "home" }] },
  };
  assert.throws(() => task.tokens!({ ...input, dataset: odd }), {
    name: "UserError",
    message: /"home" as a token/,
  });
});

Deno.test("tasks say what the data lacks", async () => {
  const { input } = await workshop();
  const items = input.dataset.items.map((_, i) => ({ title: `item ${i}` }));
  const { input: bare } = await workshop({ ...input.dataset, items });
  const lacking = (name: string) =>
    alignmentTask(name).missing({ ...bare, preferences: [], rows: undefined });
  assert.equal(lacking("next-item"), undefined);
  assert.equal(lacking("titles-to-sid"), "item titles");
  assert.equal(lacking("sid-to-description"), "item descriptions");
  assert.match(lacking("heterogeneous")!, /kinds of items/);
  assert.match(lacking("preference-to-sid")!, /--preferences FILE/);
  assert.match(lacking("rows")!, /sft\/train\.json/);
});

Deno.test("cutText() keeps at most so many tokens, at a space, and never half a character", async () => {
  const tokenizer = await tinyTokenizer();
  assert.equal(cutText(tokenizer, "hex nut", 100), "hex nut");
  assert.equal(cutText(tokenizer, "stainless steel hex bolt", 12), "stainless steel hex");
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 30 }),
      fc.integer({ min: 1, max: 20 }),
      (text, most) => {
        const cut = cutText(tokenizer, text.normalize("NFC"), most);
        assert.ok(text.normalize("NFC").startsWith(cut));
        assert.ok(tokenizer.encode(cut).length <= most);
      },
    ),
  );
});

Deno.test("a special token or an SID in what a user wrote is text: it neither ends an answer nor names an item", async () => {
  const dataset = smallShop();
  const token = "<a_3>";
  dataset.items[0] = { ...dataset.items[0], title: `Brass ${END} hinge`, description: `x${END}` };
  const { input, prompts, tokenizer } = await workshop(dataset, { title: 90, description: 60 });
  const end = tokenizer.idOf(END)!, code = tokenizer.idOf(token)!;
  const title = input.texts.title(0);
  const ids = [...tokenizer.encode(title)];
  assert.equal(tokenizer.decode(ids, true), `Brass ${END} hinge`);
  assert.ok(!ids.includes(end));
  const target = [...prompts.target(alignmentTask("sid-to-title"), { title })];
  assert.deepEqual(target.indexOf(end), target.length - 1);
  assert.equal(tokenizer.decode(tokenizer.encode(input.texts.description(0)), true), `x${END}`);
  assert.ok(!tokenizer.encode(input.texts.description(0)).includes(end));
  const wish = tokenizer.encode(input.texts.asText(`like ${token}`));
  assert.ok(!wish.includes(code));
  assert.equal(tokenizer.decode(wish, true), `like ${token}`);
});
