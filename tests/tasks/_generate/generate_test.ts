import assert from "node:assert/strict";
import { join } from "node:path";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { StreamedText } from "../../../tasks/_generate/streamed_text.ts";
import { task as generate } from "../../../tasks/_generate/generate.ts";
import { task as rl } from "../../../tasks/rl.ts";
import { SHORT, sid, withRows } from "../../scenarios/rows_shop.ts";
import { collector, withShop } from "../../scenarios/text_shop.ts";
import { genrec, withRun } from "../genrec.ts";

/** What `generate` prints. */
async function printed(dir: string, flags: Record<string, unknown>, json: boolean): Promise<string> {
  const { io, lines } = collector();
  const decoder = new TextDecoder();
  let text = "";
  const { log } = console, { writeSync } = Deno.stdout;
  console.log = (line: string) => void (text += `${line}\n`);
  Deno.stdout.writeSync = (bytes) => {
    text += decoder.decode(bytes, { stream: true });
    return bytes.length;
  };
  try {
    await generate.run(generate.config.parse({ run: join(dir, "model"), ...flags }), { ...io, json });
  } finally {
    console.log = log;
    Deno.stdout.writeSync = writeSync;
  }
  assert.deepEqual(lines, []);
  return text;
}

Deno.test("generate writes what it says under --json, as it is chosen; draws follow from the seed", async () => {
  await withShop("llama", {}, async (dir) => {
    const asked = { prompt: ["Blue Tape", "Steel"], maxNewTokens: 6 };
    const lines = (await printed(dir, asked, true)).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ prompt }) => prompt), asked.prompt);
    assert.ok(lines.every(({ text }) => text.length > 0));
    assert.equal(
      await printed(dir, asked, false),
      lines.map(({ prompt, text }) => `${prompt}${text}\n`).join(""),
    );

    const draw = (more: Record<string, unknown>) =>
      printed(dir, { ...asked, doSample: true, temperature: 3, topK: 0, ...more }, true);
    assert.equal(await draw({}), await draw({}));
    assert.notEqual(await draw({}), await draw({ seed: 1 }));
    // Of one token that may be drawn it is always that one.
    assert.equal(await draw({ topK: 1 }), await printed(dir, asked, true));
    assert.equal(await draw({ minP: 1 }), await printed(dir, asked, true));
    assert.match(
      await printed(dir, { ...asked, weights: "int8" }, true),
      /^\{"prompt":"Blue Tape","text":".+"\}\n/,
    );
    assert.notEqual(
      await printed(dir, { ...asked, repetitionPenalty: 40 }, true),
      await printed(dir, asked, true),
    );
  });
});

Deno.test("a prompt may have several lines, and stays as it is", () => {
  const args = ["--run", "r", "--prompt", "Title of\n<a_1>\n", "--prompt", " b"];
  assert.deepEqual(parseArgs(generate, args)!.config.prompt, ["Title of\n<a_1>\n", " b"]);
});

Deno.test("generate refuses what means nothing, in one message", async () => {
  await withShop("llama", {}, async (dir) => {
    const refuses = (flags: Record<string, unknown>, message: RegExp) =>
      assert.rejects(() => printed(dir, { prompt: ["a"], ...flags }, true), { message });
    await refuses({ topP: 0.5, seed: 1 }, /Cannot use --top-p, --seed without --do-sample/);
    await refuses({ minP: 0.1 }, /Cannot use --min-p without --do-sample/);
    await refuses({ system: "x" }, /--system without --chat/);
    await refuses({ prompt: [""] }, /empty --prompt/);
    await refuses({ maxNewTokens: 200 }, /the model has 128 positions\. Use --max-new-tokens 12\d or less/);
    await refuses({ chat: true }, /no chat template/);
    await refuses({ run: join(dir, "nothing") }, /nothing/);
    const path = join(dir, "model/tokenizer.json");
    await Deno.writeFile(path, new Tokenizer(await Deno.readFile(path)).withTokens(["<more>"]).json);
    await refuses({}, /its tokenizer has 301 tokens, but its embedding 300 rows/);
  });
  await withRun(async (dir) => {
    const { code, stderr } = await genrec(dir, ["generate", "--run", "run", "--prompt", "a"]);
    assert.deepEqual([code, stderr.trim().split("\n").length], [1, 1]);
    assert.match(
      stderr,
      /Cannot write text with run: it has no tokenizer\.json, so its model knows SIDs alone/,
    );
    await Deno.mkdir(join(dir, "sids"));
    await Deno.writeTextFile(join(dir, "sids/sid.json"), "{}");
    await assert.rejects(
      () => printed(dir, { prompt: ["a"], run: join(dir, "sids") }, true),
      {
        message: /Cannot write text with .*sids: it is a SID folder, which reads no text\. Expected a run of/,
      },
    );
    const items = await genrec(dir, ["generate", "--run", "run", "--items", "1"]);
    assert.deepEqual([items.code, items.stderr], [code, stderr]);
    const chat = await genrec(dir, ["generate", "--run", "run", "--items", "1", "--chat"]);
    assert.deepEqual([chat.code, chat.stderr.trim().split("\n").length], [2, 1]);
  });
});

Deno.test("a run is asked in its own words about items, and answers what it answers to a prompt of these words", async () => {
  const tasks = ["next-item", "sid-to-title", "history-to-title", "titles-to-title"];
  const some = { maxSteps: 60, evalSteps: 60, evalSamples: 2 };
  await withRows(tasks, some, async (dir) => {
    const run = join(dir, "run"), few = { run, maxNewTokens: 6 };
    const lines = async (flags: Record<string, unknown>) =>
      (await printed(dir, { ...few, ...flags }, true)).trim().split("\n").map((line) => JSON.parse(line));
    const written = async (prompt: string) => (await lines({ prompt: [prompt] }))[0].text.trim();
    const [three, twelve] = await lines({ items: [3, "12"] });
    assert.deepEqual(three, {
      item: 3,
      sid: sid(3),
      text: await written(`Title of\n${sid(3)}\n`),
      title: "T3",
    });
    assert.deepEqual([twelve.item, twelve.text], [12, await written(`Title of\n${sid(12)}\n`)]);
    assert.match(three.text, /^T\d/);
    assert.equal(
      await printed(dir, { ...few, items: [3, 12] }, false),
      [three, twelve].map((line) =>
        `${line.item}  ${line.sid}\n  model: ${line.text}\n  title: ${line.title}\n`
      ).join(""),
    );

    const history = [3, 4], [of] = await lines({ history, task: "history-to-title" });
    assert.deepEqual(of, {
      history: history.map((item) => ({ item, sid: sid(item), title: `T${item}` })),
      text: await written(`Title of next item\n${sid(3)}${sid(4)}\n`),
    });
    assert.equal(
      await printed(dir, { ...few, history, task: "titles-to-title" }, false),
      `3  ${sid(3)}  T3\n4  ${sid(4)}  T4\n  model: ${await written("Next title after titles\nT3\nT4\n")}\n`,
    );

    // What goes on from the run, and a checkpoint by itself, are asked the same.
    const out = join(dir, "rl"), { io } = collector();
    const small = { maxSteps: 1, evalSteps: 1, evalSamples: 2, numGenerations: 2, promptsPerStep: 2 };
    await rl.run(rl.config.parse({ run, out, ...small }), io);
    const [{ text: _, ...reinforced }] = await lines({ run: out, items: [3] });
    assert.deepEqual(reinforced, { item: 3, sid: sid(3), title: "T3" });
    const checkpoint = join(run, "checkpoints", (await Deno.readTextFile(join(run, "best"))).trim());
    assert.deepEqual(await lines({ run: checkpoint, items: [3] }), [three]);
    await Deno.rename(join(dir, "data"), join(dir, "moved"));
    assert.deepEqual(await lines({ items: [3], data: join(dir, "moved") }), [three]);
  });
});

Deno.test("items are asked about in one message or none", async () => {
  const refuses = (dir: string, flags: Record<string, unknown>, name: string, message: RegExp) =>
    assert.rejects(() => printed(dir, { run: join(dir, "run"), ...flags }, true), { name, message });
  const usage = (flags: Record<string, unknown>, message: RegExp) =>
    refuses("", flags, "UsageError", message);
  await usage({}, /Expected one of --prompt, --items and --history, found none/);
  await usage({ prompt: ["a"], items: [1] }, /found 2/);
  await usage(
    { prompt: ["a"], task: "sid-to-title", maxHistory: 3 },
    /use --task, --max-history with --prompt/,
  );
  await usage({ items: [1], chat: true, system: "x" }, /Cannot use --chat, --system with --items/);
  await withRows(["next-item", "history-to-title", "titles-to-title"], SHORT, async (dir) => {
    const user = (flags: Record<string, unknown>, message: RegExp) =>
      refuses(dir, flags, "UserError", message);
    await user({ history: [1] }, /learned next-item, .*\. Add --task history-to-title or titles-to-title$/);
    await user({ history: [1], task: "next-item" }, /its answers are not words alone\. Expected history-to-/);
    await user({ items: [1], task: "history-to-title" }, /it is about a history\. Use --history$/);
    await user({ history: [1], task: "sid-to-title" }, /it is about an item\. Use --items$/);
    await user({ items: [1] }, /nothing that is answered in words about an item\. Train with sid-to-desc/);
    await user({ items: [1], task: "sid-to-title" }, /has not seen its words\. Train with sid-to-desc/);
    await user({ items: [1], task: "titles" }, /^Cannot ask for task "titles": there is no such task/);
    const task = "history-to-title";
    await user({ history: [1, 99], task }, /Cannot ask about item 99 of --history: .* has items 0 to 39/);
    await user({ history: [1], task, maxNewTokens: 90 }, /after a prompt of \d+: the model has 96 positions/);
  });
});

Deno.test("text is shown when its characters are whole", () => {
  // Two tokens a character of two bytes, as tokenizers of bytes have.
  const bytes = [...new TextEncoder().encode("né·x")];
  const text = new StreamedText((tokens) => new TextDecoder().decode(Uint8Array.from(tokens)));
  assert.deepEqual(bytes.map((byte) => text.add(byte)), ["n", "", "é", "", "·", "x"]);
  assert.equal(text.add(0xc3), "");
  assert.equal(text.rest(), "\ufffd");
});
