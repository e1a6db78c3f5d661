import assert from "node:assert/strict";
import { join } from "node:path";
import type { Dataset } from "../../../../data/dataset.ts";
import { loadDataset } from "../../../../data/formats/load.ts";
import type { RlExamples } from "../../../../data/packing/rl_examples.ts";
import type { Tokenizer } from "../../../../models/tokenizer/tokenizer.ts";
import { ItemTexts } from "../../../../prompts/rows/item_texts.ts";
import { alignmentSource } from "../../../../prompts/rows/source.ts";
import { sidPrompts } from "../../../../prompts/sids.ts";
import { genrecTemplates } from "../../../../prompts/built_in.ts";
import { textPrompts } from "../../../../prompts/text.ts";
import type { TextPromptsOptions } from "../../../../prompts/text_options.ts";
import { SidVocabulary } from "../../../../sid/tokens.ts";
import { rlExamples, type RlRun } from "../../../../train/rl/examples/examples.ts";
import type { RlExampleSettings } from "../../../../train/rl/examples/settings.ts";
import { realData } from "../../../data/downloaded.ts";
import { promptsOf, smallShop, tinyTokenizer, workshop } from "../../../prompts/workshop.ts";

const DEFAULTS: RlExampleSettings = {
  tasks: [],
  titleHistories: 10_000,
  targets: "own",
  rows: "",
  preferences: "",
  seed: 42,
};
const MINIONEREC = ["next-item", "title-to-sid", "description-to-sid", "titles-to-sid"];

function make(run: RlRun, settings: Partial<RlExampleSettings> = {}) {
  return rlExamples(run, { ...DEFAULTS, ...settings });
}

function sidRun(dataset: Dataset = smallShop()): RlRun {
  const vocabulary = SidVocabulary.fromSids(dataset.sids!);
  const prompts = sidPrompts(vocabulary, dataset.sids!, 4);
  return { data: "synthetic", dataset, prompts, maxHistory: 4 };
}

/** A language model's run, trained on titles too. */
async function textRun(change: Partial<TextPromptsOptions> = {}): Promise<RlRun & { tokenizer: Tokenizer }> {
  const { input, prompts, tokenizer } = await workshop();
  const trained = ["next-item", "title-to-sid"];
  const asked = textPrompts({ ...input, prompts, maxLength: 200, trained, ...change });
  return { data: "synthetic", dataset: input.dataset, prompts: asked, maxHistory: 4, tokenizer };
}

const all = (examples: RlExamples) => Array.from({ length: examples.count }, (_, i) => examples.make(i));

/** Item numbers that share the SID of an item. */
const sharing = ({ sids }: Dataset, item: number) =>
  [...sids!.keys()].filter((other) => sids![other].join() === sids![item].join());

Deno.test("a model of SIDs alone gets every train sample, asked as in evaluation, with all items of the right SID", async () => {
  const run = sidRun(), { train } = run.dataset.samples;
  const { examples, report } = await make(run);
  assert.deepEqual([examples.count, examples.tasks], [train.length, ["next-item"]]);
  for (const [i, { prompt, targets, history, task }] of all(examples).entries()) {
    assert.deepEqual(prompt, run.prompts.prompt(train[i].history));
    assert.deepEqual(history, train[i].history.slice(-4));
    assert.deepEqual(targets, sharing(run.dataset, train[i].target));
    assert.equal(task, 0);
  }
  // Items 0 and 1 share one SID, so some targets are two items.
  assert.ok(all(examples).some(({ targets }) => targets.length === 2));
  const [{ rows, tokens, targets, longest }] = report;
  const lengths = all(examples).map(({ prompt }) => prompt.length);
  assert.deepEqual([rows, targets, longest], [train.length, 3 * train.length, Math.max(...lengths) + 3]);
  assert.equal(tokens, lengths.reduce((sum, length) => sum + length + 2, 0));
});

Deno.test("without targets a user is asked what comes after all that the train split has of them", async () => {
  for (const run of [sidRun(), await textRun()]) {
    const { histories } = run.dataset;
    const { examples, report } = await make(run, { targets: "none" });
    assert.deepEqual([examples.count, examples.tasks, report[0].rows], [
      histories.length,
      ["next-item"],
      histories.length,
    ]);
    for (const [i, { prompt, targets, history }] of all(examples).entries()) {
      assert.deepEqual([targets, history], [[], histories[i].items.slice(-4)]);
      assert.deepEqual(prompt, run.prompts.prompt(histories[i].items));
    }
  }
  await assert.rejects(
    make(await textRun(), { targets: "none", tasks: ["next-item", "title-to-sid"] }),
    /Cannot reinforce title-to-sid with --targets none.* Use --tasks next-item/,
  );
  const dataset = { ...smallShop(), histories: [] };
  await assert.rejects(make(sidRun(dataset), { targets: "none" }), /its train split has no rows/);
});

Deno.test("a language model gets MiniOneRec's tasks: the very prompts of fine-tuning, cut as there", async () => {
  const run = await textRun({ maxLength: 70 }), { text } = run.prompts;
  const { examples, report } = await make(run);
  assert.deepEqual(examples.tasks, MINIONEREC);
  const tasks = Object.fromEntries(MINIONEREC.map((name) => [name, 1]));
  const source = alignmentSource({ ...text!, tasks, maxLength: 70 });
  assert.deepEqual([examples.count, report], [source.count, source.report]);
  assert.ok(report[3].truncated > 0);
  for (const [i, { prompt, targets, task }] of all(examples).entries()) {
    assert.deepEqual(prompt, source.prompt(i));
    assert.ok(prompt.length + source.target(i).length <= 70);
    assert.equal(task, source.taskOf(i));
    assert.equal(text!.texts.sids[targets[0]], run.tokenizer.decode(source.target(i).slice(0, -1), true));
    assert.deepEqual(targets, sharing(run.dataset, targets[0]));
  }
});

Deno.test("no prompt holds its answer", async () => {
  const run = await textRun();
  const { examples } = await make(run);
  const sidTokens = new Set(run.prompts.itemTokens.flatMap((tokens) => [...tokens]));
  let asked = 0;
  for (const { prompt, targets, history, task } of all(examples)) {
    const answer = run.prompts.itemTokens[targets[0]].join();
    if (examples.tasks[task] === "next-item") {
      // A repeated purchase has the SID in its history: what is asked is the same whatever is right.
      assert.deepEqual(prompt, run.prompts.prompt(history));
      continue;
    }
    assert.ok(!prompt.some((token) => sidTokens.has(token)));
    assert.ok(!prompt.join().endsWith(answer));
    asked++;
  }
  assert.ok(asked > 100);
});

Deno.test("histories are those that prompts tell of; titles and descriptions have none", async () => {
  const run = await textRun();
  const { examples } = await make(run);
  for (const { prompt, history, task } of all(examples)) {
    const name = examples.tasks[task];
    if (["title-to-sid", "description-to-sid"].includes(name)) assert.deepEqual(history, []);
    else {
      assert.ok(history.length > 0 && history.length <= 4);
      if (name === "next-item") continue;
      const asked = run.tokenizer.decode(prompt, true);
      for (const item of history) assert.ok(asked.includes(run.prompts.text!.texts.title(item)), asked);
    }
  }
});

Deno.test("by default a run is asked what it can know", async () => {
  const tasksOf = async (change: Partial<TextPromptsOptions>) =>
    (await make(await textRun(change))).examples.tasks;
  assert.deepEqual(await tasksOf({ trained: ["next-item"] }), ["next-item"]);
  assert.deepEqual(await tasksOf({ trained: ["heterogeneous"], task: "heterogeneous" }), ["heterogeneous"]);
  const { tasks: { "titles-to-sid": _, ...tasks } } = genrecTemplates;
  const run = await textRun();
  const prompts = promptsOf(run.tokenizer, { templates: { ...genrecTemplates, tasks } });
  assert.deepEqual(await tasksOf({ prompts }), MINIONEREC.slice(0, 3));
});

Deno.test("weights mix tasks, histories of titles are drawn once, and an order follows from seed and epoch", async () => {
  const run = await textRun();
  const { examples, report } = await make(run, {
    tasks: ["titles-to-sid", "title-to-sid=0.5"],
    titleHistories: 20,
  });
  const [drawn, titles] = report;
  const { train } = run.dataset.samples;
  assert.deepEqual([drawn.rows, drawn.leftOut["not drawn"]], [20, train.length - 20]);
  assert.equal(titles.rowsPerEpoch, Math.round(titles.rows / 2));
  const order = examples.order(0, 1);
  assert.equal(order.length, 20 + titles.rowsPerEpoch);
  assert.deepEqual([...new Set(order)].filter((i) => i < 20).length, 20);
  assert.deepEqual(examples.order(0, 1), order);
  assert.notDeepEqual([...order], [...order].sort((a, b) => a - b));
  assert.notDeepEqual(examples.order(1, 1), order);
  const histories = (seed: number) =>
    make(run, { tasks: ["titles-to-sid"], titleHistories: 20, seed }).then(({ examples }) =>
      all(examples).map(({ history }) => history)
    );
  assert.deepEqual(await histories(42), all(examples).slice(0, 20).map(({ history }) => history));
  assert.notDeepEqual(await histories(43), await histories(42));
});

Deno.test("rows with one prompt keep their own targets, or share all of them", async () => {
  const shop = smallShop();
  const [first, , other] = shop.samples.train;
  const target = shop.items.findIndex((_, item) => item > 1 && item !== first.target);
  shop.samples.train = [first, { ...first, target }, { ...other, history: [...first.history, 0] }];
  const run = sidRun(shop);
  const targetsOf = async (targets: "own" | "all") => {
    const { examples } = await make(run, { targets });
    return all(examples).map(({ targets }) => targets);
  };
  const own = [first.target, target, other.target].map((item) => sharing(shop, item));
  assert.deepEqual(await targetsOf("own"), own);
  // A row's own come first: reward rule and the supervised loss are about the first target.
  const shared = [[...own[0], ...own[1]], [...own[1], ...own[0]], own[2]];
  assert.deepEqual(await targetsOf("all"), shared);

  const { input, prompts } = await workshop(shop);
  const asked = textPrompts({ ...input, prompts, maxLength: 200 });
  const text = await make({ ...run, prompts: asked }, { tasks: ["next-item"], targets: "all" });
  assert.deepEqual(all(text.examples).map(({ targets }) => targets), shared);
});

Deno.test("tasks that are answered with a title or a description are right with the items that have it", async () => {
  const run = await textRun(), { texts } = run.prompts.text!;
  const title = (item: number) => texts.title(item), description = (item: number) => texts.description(item);
  const of = { "sid-to-title": title, "history-to-title": title, "history-to-description": description };
  const names = Object.keys(of) as (keyof typeof of)[];
  const { examples } = await make(run, { tasks: [...names, "next-item"] });
  assert.deepEqual(examples.tasks, [...names, "next-item"]);
  assert.equal(examples.texts!.length, 3);
  const written = (tokens: Uint32Array) => run.tokenizer.decode(tokens, true);
  for (const { text, task, targets, prompt } of all(examples)) {
    assert.equal(text, task === 3 ? undefined : task);
    if (text === undefined) continue;
    const answers = examples.texts![text], [first] = targets, said = of[names[task]];
    assert.equal(written(answers[first]), `${said(first)}<|endoftext|>`);
    assert.deepEqual(targets, [...answers.keys()].filter((item) => said(item) === said(first)));
    const longest = Math.max(...answers.map(({ length }) => length));
    assert.ok(prompt.length + longest <= 200);
  }
  // Texts that one has not are no answers.
  const none = run.dataset.items.findIndex((_, item) => description(item) === "");
  assert.ok(none < 0 || examples.texts![2][none].length === 0);
});

Deno.test("tasks that a run cannot be asked are refused", async () => {
  const text = await textRun(), sids = sidRun(), empty = smallShop();
  empty.samples.train = [];
  const tasks = {
    ...genrecTemplates.tasks,
    "title-to-sid": { input: "{title}", output: "The item is {sid}" },
  };
  const prompts = promptsOf(text.tokenizer, { templates: { ...genrecTemplates, name: "wordy", tasks } });
  const wordy = await textRun({ prompts });
  const cases: [RlRun, Partial<RlExampleSettings>, RegExp][] = [
    [
      sids,
      { tasks: ["title-to-sid"] },
      /task title-to-sid: the run knows SIDs alone.*Use --tasks next-item, or/,
    ],
    [sids, { tasks: ["next-item=0"] }, /no rows for task next-item with weight 0/],
    [sidRun(empty), {}, /its train split has no rows/],
    [
      text,
      { tasks: ["history-to-preference"] },
      /its answers are neither SIDs nor texts of the catalogue.*Expected one of .*next-item, /,
    ],
    [text, { tasks: ["title-to-sids"] }, /no such task.*Did you mean title-to-sid\?/],
    [
      text,
      { tasks: ["rows"] },
      /no synthetic\/rl\/train\.json, where MIMIGenRec has it\. Name a file with --rows/,
    ],
    [text, { rows: "x.json" }, /Cannot use --rows x\.json with tasks next-item, .*Add it to --tasks/],
    [text, { tasks: ["preference-to-sid"] }, /expected a preference file/],
    [
      wordy,
      {},
      /task title-to-sid: prompts wordy word its answer "The item is <a_.*not how the model writes/,
    ],
  ];
  for (const [run, settings, message] of cases) {
    await assert.rejects(() => make(run, settings), { name: "UserError", message }, String(message));
  }
});

const CHAT = `{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}` +
  `{% if add_generation_prompt %}<assistant>{% endif %}`;

Deno.test("rows of MIMIGenRec are asked word for word in the chat template, each by the name of its task", async () => {
  const { input, tokenizer } = await workshop();
  const data = await Deno.makeTempDir();
  const sid = (item: number) => input.texts.sids[item];
  const row = (system: string, user: string, item: number, ability: string) => ({
    prompt: [
      ...(system === "" ? [] : [{ role: "system", content: system }]),
      { role: "user", content: user },
    ],
    ability,
    reward_model: { style: "rule", ground_truth: sid(item) },
  });
  await Deno.mkdir(join(data, "rl"));
  await Deno.writeTextFile(
    join(data, "rl/train.json"),
    JSON.stringify([
      row("Help.", `After ${sid(7)}, ${sid(9)}?`, 1, "seq_rec"),
      row("", 'Which is "Ball"?', 5, "title_desc2sid"),
    ]),
  );
  const prompts = promptsOf(tokenizer, {
    templates: { ...genrecTemplates, frame: "chat" },
    tokenizerConfig: { chat_template: CHAT },
  });
  const asked = textPrompts({ ...input, prompts, maxLength: 200, trained: ["rows", "next-item"] });
  const run = { data, dataset: input.dataset, prompts: asked, maxHistory: 4 };
  const { examples } = await make(run);
  assert.deepEqual(examples.tasks, ["seq_rec", "title_desc2sid"]);
  const said = all(examples).map(({ prompt, ...rest }) => ({
    ...rest,
    text: tokenizer.decode(prompt, true),
  }));
  assert.deepEqual(said, [
    {
      text: `<system>Help.<|endoftext|><user>After ${sid(7)}, ${sid(9)}?<|endoftext|><assistant>`,
      targets: [0, 1],
      history: [7, 9],
      task: 0,
    },
    { text: '<user>Which is "Ball"?<|endoftext|><assistant>', targets: [5], history: [], task: 1 },
  ]);
  // A frame without a place for a system says it first of all.
  const plain = textPrompts({ ...input, prompts: promptsOf(tokenizer), trained: ["next-item"] });
  const { examples: worded } = await make({ ...run, prompts: plain }, { tasks: ["rows"] });
  assert.deepEqual(all(worded).map(({ prompt }) => tokenizer.decode(prompt, true)), [
    `Help.\n\nAfter ${sid(7)}, ${sid(9)}?\n`,
    '\nWhich is "Ball"?\n',
  ]);
  const mixed = await make(run, { tasks: ["next-item", "rows"] });
  assert.deepEqual(mixed.examples.tasks, ["next-item", "seq_rec", "title_desc2sid"]);
  assert.equal(mixed.examples.make(mixed.examples.count - 1).task, 2);
  await Deno.remove(data, { recursive: true });
});

const mimigenrec = realData("mimigenrec-industrial");

Deno.test({
  name: "MIMIGenRec's published rows are read whole, and ask for what its samples ask for",
  ignore: mimigenrec === undefined,
  async fn() {
    const dataset = await loadDataset(mimigenrec!);
    const sids = dataset.sids!, tokenizer = await tinyTokenizer(...sids.flat());
    const texts = new ItemTexts(dataset, sids, tokenizer);
    const asked = textPrompts({
      dataset,
      texts,
      maxHistory: 10,
      prompts: promptsOf(tokenizer),
      trained: ["rows"],
    });
    const run = { data: mimigenrec!, dataset, prompts: asked, maxHistory: 10 };
    const { examples } = await make(run, { tasks: ["rows"], rows: join(mimigenrec!, "rl/valid.json") });
    assert.equal(examples.count, 4532);
    const key = (history: readonly number[], target: number) => `${history} ${target}`;
    const expected = dataset.samples.valid.map(({ history, target }) => key(history, target));
    const found = all(examples).map(({ history, targets }) => key(history, targets[0]));
    assert.deepEqual(found.sort(), expected.sort());
  },
});
