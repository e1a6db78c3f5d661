import assert from "node:assert/strict";
import { mixedOrder } from "../../../prompts/rows/mix.ts";
import { alignmentTexts } from "../../../prompts/rows/task_plan.ts";
import { alignmentSource } from "../../../prompts/rows/source.ts";
import { valueWeights } from "../../../prompts/rows/value_weights.ts";
import { trimTokenizer } from "../../../models/tokenizer/trim.ts";
import { readSftRows } from "../../../data/formats/mimigenrec/sft_rows.ts";
import { taskTokens } from "../../../prompts/tasks/by_name.ts";
import { realData } from "../../data/downloaded.ts";
import { END, promptsOf, tinyTokenizer, workshop } from "../workshop.ts";

Deno.test("a row is its prompt and its answer, with a loss on the answer alone", async () => {
  const { input, prompts, tokenizer } = await workshop();
  const tasks = { "sid-to-title": 1, "next-item": 1 };
  const source = alignmentSource({ ...input, prompts, tasks, maxLength: 99 });
  assert.deepEqual(source.tasks, ["sid-to-title", "next-item"]);
  const row = source.ranges[1].start;
  assert.deepEqual([source.taskOf(row - 1), source.taskOf(row)], [0, 1]);
  const prompt = [...source.prompt(row)], answer = [...source.target(row)];
  assert.equal(
    tokenizer.decode(answer, true),
    `${input.texts.sids[input.dataset.samples.train[0].target]}<|endoftext|>`,
  );
  const { tokens, targets } = source.make(row);
  assert.deepEqual([...tokens], [...prompt, ...answer].slice(0, -1));
  assert.deepEqual(targets, answer.map((token, i) => ({ at: prompt.length - 1 + i, token, weight: 1 })));
  const [titles] = source.report;
  const rows = Array.from({ length: titles.rows }, (_, i) => source.make(i));
  assert.equal(titles.tokens, rows.reduce((sum, { tokens }) => sum + tokens.length, 0));
  assert.equal(titles.targets, rows.reduce((sum, { targets }) => sum + targets.length, 0));
  assert.equal(titles.longest, rows.reduce((most, { tokens }) => Math.max(most, tokens.length + 1), 0));
});

Deno.test("with sample normalisation every answer weighs 1, long or short", async () => {
  const { input, prompts } = await workshop();
  const tasks = { "sid-to-title": 1, "title-to-sid": 1 };
  const source = alignmentSource({ ...input, prompts, tasks, maxLength: 99, lossNormalisation: "sample" });
  for (let i = 0; i < source.count; i++) {
    const weight = source.make(i).targets.reduce((sum, { weight }) => sum + weight, 0);
    assert.ok(Math.abs(weight - 1) < 1e-12);
  }
});

Deno.test("VAFT weighs a row by ln(1 + v) of the next item: mean 1, a floor, rows without a value 1", async () => {
  const weights = valueWeights(Float64Array.of(0, 1, 0.5, NaN), 0.1);
  // ln(1), ln(2), ln(1.5) over their mean, 0.1 for the first, and all over the new mean.
  const mean = (Math.log(2) + Math.log(1.5)) / 3;
  const raised = [0.1, Math.log(2) / mean, Math.log(1.5) / mean];
  const scale = (raised[0] + raised[1] + raised[2]) / 3;
  assert.deepEqual([...weights], [...raised.map((weight) => weight / scale), 1]);
  assert.deepEqual([...valueWeights(Float64Array.of(0, 0, NaN), 0.1)], [1, 1, 1]);

  const { input, prompts } = await workshop();
  const tasks = { "next-item": 1, "sid-to-title": 1 };
  const source = alignmentSource({ ...input, prompts, tasks, maxLength: 99, valueAware: { floor: 0.1 } });
  const sums = Array.from({ length: source.count }, (_, i) => {
    return source.make(i).targets.reduce((sum, { weight }) => sum + weight, 0);
  });
  const { count } = source.ranges[0], next = sums.slice(0, count);
  assert.ok(Math.abs(next.reduce((a, b) => a + b, 0) / count - 1) < 1e-9);
  assert.ok(Math.max(...next) > 1.2 && Math.min(...next) > 0.05);
  assert.ok(sums.slice(count).every((weight) => Math.abs(weight - 1) < 1e-12));
});

Deno.test("rows that are too long lose the oldest of their history, are left out, or stop the run", async () => {
  const { input, prompts, tokenizer } = await workshop();
  const options = { ...input, prompts, tasks: { "titles-to-sid": 1, "title-to-sid": 1 }, maxLength: 60 };
  const whole = alignmentSource({ ...options, maxLength: 500 });
  const truncated = alignmentSource({ ...options, longSequences: "truncate" });
  const [report] = truncated.report;
  assert.ok(report.truncated > 0 && report.longest <= 60);
  assert.equal(report.rows + (report.leftOut["longer than the context"] ?? 0), whole.report[0].rows);
  for (let i = 0; i < report.rows; i++) {
    assert.match(tokenizer.decode(truncated.prompt(i), true), /^Next item after titles\n/);
  }
  const skipped = alignmentSource({ ...options, longSequences: "skip" });
  assert.equal(
    skipped.report[0].leftOut["longer than the context"] + skipped.report[0].rows,
    whole.report[0].rows,
  );
  assert.equal(skipped.report[0].truncated, 0);
  assert.throws(() => alignmentSource({ ...options, longSequences: "error" }), {
    name: "UserError",
    message: /\d+ of \d+ are longer than the 60 tokens allowed, the longest has \d+\. Raise --max-length/,
  });
});

Deno.test("weights mix tasks: half of the rows, another half each epoch, or all of them twice", () => {
  const ranges = [
    { name: "a", start: 0, count: 10, weight: 2 },
    { name: "b", start: 10, count: 100, weight: 0.5 },
    { name: "c", start: 110, count: 4, weight: 1 },
  ];
  const order = mixedOrder(ranges, 0, 42);
  assert.equal(order.length, 20 + 50 + 4);
  const times = (row: number) => order.filter((other) => other === row).length;
  for (let row = 0; row < 10; row++) assert.equal(times(row), 2);
  for (let row = 110; row < 114; row++) assert.equal(times(row), 1);
  const half = (order: Uint32Array) => new Set(order.filter((row) => row >= 10 && row < 110));
  const first = half(order), second = half(mixedOrder(ranges, 1, 42));
  assert.deepEqual([first.size, second.size], [50, 50]);
  const both = first.intersection(second).size;
  assert.ok(both > 10 && both < 40, String(both));
  assert.deepEqual(mixedOrder(ranges, 1, 42), mixedOrder(ranges, 1, 42));
  assert.notDeepEqual(mixedOrder(ranges, 0, 43), order);
  assert.notDeepEqual([...order], [...order].sort((a, b) => a - b));
});

Deno.test("order() and the report of a source follow its weights", async () => {
  const { input, prompts } = await workshop();
  const seen: number[] = [];
  const tasks = { "next-item": 0.25, "title-to-sid": 1, "sid-to-title": 0 };
  const onProgress = (done: number, total: number) => seen.push(done / total);
  const source = alignmentSource({ ...input, prompts, tasks, maxLength: 99, onProgress });
  assert.deepEqual(source.tasks, ["next-item", "title-to-sid"]);
  const perEpoch = source.report.map(({ rowsPerEpoch }) => rowsPerEpoch);
  assert.deepEqual(perEpoch, [Math.round(source.ranges[0].count / 4), source.ranges[1].count]);
  assert.equal(source.order(0, 1).length, perEpoch[0] + perEpoch[1]);
  assert.equal(seen.at(-1), 1);
});

Deno.test("unknown tasks, bad weights, and tasks that the data has nothing for are refused", async () => {
  const { input, prompts } = await workshop();
  const bare = await tinyTokenizer();
  const make = (change: object) => () =>
    alignmentSource({ ...input, prompts, tasks: { "next-item": 1 }, maxLength: 99, ...change });
  const cases: [object, RegExp][] = [
    [{ tasks: { next: 1 } }, /no such task/],
    [{ tasks: { "next-item": -1 } }, /its weight is -1/],
    [
      { tasks: { "preference-to-sid": 1 }, preferences: [] },
      /of synthetic-0: expected a preference file.*, found none/,
    ],
    [
      { tasks: { rows: 1 }, rows: [{ ...input.rows![0], input: "<a_1><z_9>" }] },
      /its rows hold <z_9>, which the/,
    ],
    [
      { prompts: promptsOf(bare) },
      /its tokenizer lacks \d+ of the index's tokens \(<a_0>, <a_1>, <a_2>, …\)/,
    ],
    [
      { prompts: promptsOf(bare.withTokens(input.dataset.sids!.flat())), tasks: { heterogeneous: 1 } },
      /hold \[USER_HIGH/,
    ],
    [{ maxLength: 5 }, /its tasks have no rows \(next-item: \d+ with longer than the context\)/],
    [{ tasks: {} }, /its tasks have no rows\. Choose/],
  ];
  for (const [change, message] of cases) {
    assert.throws(make(change), { name: "UserError", message }, String(message));
  }
});

const mimigenrec = realData("mimigenrec-industrial");
Deno.test({
  name: "rows of MIMIGenRec's sft files train as they are, word for word",
  ignore: mimigenrec === undefined,
  async fn() {
    const rows = (await readSftRows(`${mimigenrec}/sft/valid.json`)).slice(0, 40);
    const { input } = await workshop();
    const tokenizer = await tinyTokenizer(
      ...input.dataset.sids!.flat(),
      ...taskTokens(["rows"], { ...input, rows }),
    );
    const frame = { prompt: ["{system}\n{instruction}\n{input}\n"], target: "{output}{eos}\n" };
    const prompts = promptsOf(tokenizer, { templates: { name: "spelt", frame, tasks: {} } });
    const source = alignmentSource({ ...input, rows, prompts, tasks: { rows: 1 }, maxLength: 512 });
    assert.equal(source.count, 40);
    for (const [i, { system, instruction, input, output }] of rows.entries()) {
      assert.equal(tokenizer.decode(source.prompt(i), true), `${system}\n${instruction}\n${input}\n`);
      assert.equal(tokenizer.decode(source.target(i), true), `${output}${END}\n`);
    }
  },
});

Deno.test("a tokenizer trimmed to the texts of a mix makes the same rows of fewer tokens", async () => {
  const { input, prompts, tokenizer } = await workshop();
  const tasks = { "next-item": 1, "title-to-sid": 1, "sid-to-description": 1 };
  const { tokenizer: small, kept } = trimTokenizer(tokenizer, alignmentTexts({ ...input, prompts, tasks }));
  assert.ok(small.vocabulary < tokenizer.vocabulary);
  const whole = alignmentSource({ ...input, prompts, tasks, maxLength: 99 });
  const trimmed = alignmentSource({ ...input, prompts: promptsOf(small), tasks, maxLength: 99 });
  assert.equal(trimmed.count, whole.count);
  for (let i = 0; i < whole.count; i++) {
    assert.deepEqual(Array.from(trimmed.make(i).tokens, (id) => kept[id]), [...whole.make(i).tokens]);
  }
});
