import assert from "node:assert/strict";
import { sharedDevice } from "../shared_device.ts";
import { TextWriter, type TextWriterOptions } from "../../decode/text_writer.ts";
import { tinyConfig, tinyDecoder } from "../models/decoder/tiny.ts";
import { FakeModel } from "./fake_model.ts";

const device = await sharedDevice("texture");
const prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10], [2, 2]].map((tokens) => Uint32Array.from(tokens));
const GREEDY: TextWriterOptions = { maxNewTokens: 6, stop: new Set(), temperature: 0, seed: 1 };

const write = async (model: FakeModel, options: Partial<TextWriterOptions> = {}, asked = prompts) =>
  (await new TextWriter(device, model, { ...GREEDY, ...options }).run(asked)).map((text) => [...text]);

Deno.test("TextWriter writes the most probable token each time, until one that ends the text", async () => {
  const model = FakeModel.random(device, 23, 5);
  const expected = prompts.map((prompt) => {
    const text: number[] = [];
    while (text.length < 6) {
      const logits = model.logitsAfter([...prompt, ...text]);
      text.push(logits.indexOf(Math.max(...logits)));
    }
    return text;
  });
  assert.deepEqual(await write(model), expected);
  assert.deepEqual(await write(model, {}, [...prompts, ...prompts]), [...expected, ...expected]);
  const end = expected[0][2];
  const cut = expected.map((text) => text.includes(end) ? text.slice(0, text.indexOf(end)) : text);
  assert.deepEqual(await write(model, { stop: new Set([end]) }), cut);
  assert.deepEqual(cut.map(({ length }) => length), [0, 2, 2, 1]);
});

Deno.test("TextWriter draws by temperature: the same for a prompt whatever is written beside it, others for another seed", async () => {
  const model = FakeModel.random(device, 23, 5);
  const drawn = await write(model, { temperature: 1 });
  assert.deepEqual(await write(model, { temperature: 1 }, [prompts[2], prompts[0]]), [drawn[2], drawn[0]]);
  assert.notDeepEqual(await write(model, { temperature: 1, seed: 2 }), drawn);
  assert.notDeepEqual(drawn, await write(model));
  // First tokens after one prompt come as often as softmax says.
  const logits = model.logitsAfter([...prompts[0]]);
  const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
  const best = logits.indexOf(Math.max(...logits)), share = Math.exp(logits[best]) / total, draws = 400;
  const found = await Promise.all(
    Array.from(
      { length: draws },
      (_, seed) => write(model, { temperature: 1, seed, maxNewTokens: 1 }, prompts.slice(0, 1)),
    ),
  );
  const hits = found.filter(([[token]]) => token === best).length;
  assert.ok(Math.abs(hits / draws - share) < 4 * Math.sqrt(share * (1 - share) / draws), `${hits} ${share}`);
  assert.throws(() => new TextWriter(device, model, { ...GREEDY, maxNewTokens: 0 }), RangeError);
  assert.throws(() => new TextWriter(device, model, { ...GREEDY, temperature: -1 }), RangeError);
});

Deno.test("TextWriter writes after prompts of a decoder what a prompt longer by that would go on with", async () => {
  const decoder = tinyDecoder(device, tinyConfig(20, true));
  const writer = new TextWriter(device, decoder, { ...GREEDY, maxNewTokens: 5 });
  const texts = await writer.run(prompts);
  const longer = prompts.map((prompt, i) => Uint32Array.of(...prompt, ...texts[i].subarray(0, 2)));
  const rest = await new TextWriter(device, decoder, { ...GREEDY, maxNewTokens: 3 }).run(longer);
  assert.deepEqual(rest.map((text) => [...text]), texts.map((text) => [...text.subarray(2)]));
  decoder.destroy();
});
