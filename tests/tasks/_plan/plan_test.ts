import assert from "node:assert/strict";
import { decoderSpecs } from "../../../models/decoder/decoder.ts";
import { parseDecoderConfig } from "../../../models/decoder/config.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { MODELS } from "../../../tasks/_plan/models.ts";
import { task } from "../../../tasks/_plan/plan.ts";
import { runTask } from "../../../tasks/_cli/cli.ts";

Deno.test("the shapes of Qwen2.5 have the numbers that the models have", () => {
  const counts = Object.entries(MODELS).map(([name, value]) =>
    decoderSpecs(parseDecoderConfig(value, name)).flatMap(partsOf)
      .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
  );
  // As the sizes of their safetensors say.
  assert.deepEqual(counts, [494032768, 1543714304, 3085938688]);
});

Deno.test("plan says what a step takes, and why it scales no better", async () => {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => lines.push(line);
  try {
    const args = "--ranks 8,64 --model qwen2.5-0.5b --steps 3 --link 25 --device-tflops 40".split(" ");
    assert.equal(await runTask(task, args), 0);
    assert.equal(await runTask(task, [...args, "--zero-stage", "1"]), 0);
    assert.equal(await runTask(task, [...args, "--micro-batches", "64", "--json"]), 0);
  } finally {
    console.log = log;
  }
  assert.match(
    lines[1],
    /^model +ranks +GB +compute +slowest +gradients +step +simulated +apart +weak scaling$/,
  );
  assert.match(lines[2], /^qwen2\.5-0\.5b +8 +7\.9 +\d+ /);
  assert.match(
    lines.find((line) => line.includes("below 90 %"))!,
    /for summing gradients: \d+ micro batches a process/,
  );
  // 494 M numbers of 4 bytes: weights, gradients, and an eighth of two moments.
  const [head, row] = lines.slice(lines.findLastIndex((line) => line.startsWith("model")));
  assert.match(head, / gradients +weights +step /);
  assert.match(row, /^qwen2\.5-0\.5b +8 +4\.4 /);
  const { predictions } = JSON.parse(lines.at(-1)!);
  assert.ok(predictions[0].efficiency > 0.9, `${predictions[0].efficiency}`);
});
