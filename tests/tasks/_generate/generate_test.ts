import assert from "node:assert/strict";
import { join } from "node:path";
import { Tokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { parseArgs } from "../../../tasks/_cli/cli.ts";
import { StreamedText } from "../../../tasks/_generate/streamed_text.ts";
import { task as generate } from "../../../tasks/_generate/generate.ts";
import { collector, withShop } from "../../scenarios/text_shop.ts";
import { genrec, withRun } from "../genrec.ts";

/** What `generate` prints. */
async function printed(dir: string, flags: Record<string, unknown>, json: boolean): Promise<string> {
  const { io } = collector();
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
