/**
 * One optimizer step of supervised fine-tuning as training does it, rows packed end to end and logits at targets only,
 * beside the usual layout from the same kernels, rows padded to the longest and logits at every position. Rows as of
 * MiniOneRec's Industrial split, the vocabulary of Qwen2.5, a model so narrow that a CPU holds it. Prints a Markdown
 * table: `deno run -A bench/layouts/packing.ts --rows 32 --repeats 5 [--out docs/benchmarks]`.
 */
import { parseArgs } from "node:util";
import { Device } from "../../kernels/gpu/device.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { median, spread } from "../kernels/report.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { type SftLayout, sftStep } from "./sft.ts";
import { sftRows } from "./sft_rows.ts";
import { SFT_SHAPES } from "./sft_shapes.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "16" },
    repeats: { type: "string", default: "5" },
    out: { type: "string", default: "" },
  },
});
const config = SFT_SHAPES.tiny;
const rows = sftRows(config.vocab_size, { rows: Number(values.rows) });
const layouts: SftLayout[] = ["packed", "padded"];
const contenders = [];
for (const layout of layouts) {
  const device = await Device.open();
  const step = sftStep(device, config, rows, layout);
  step.run();
  contenders.push({ layout, device, step, loss: await step.loss(), times: [] as number[] });
}
const [packed, padded] = contenders;
if (Math.abs(packed.loss - padded.loss) > 1e-4) {
  throw new Error(`The two layouts compute losses ${packed.loss} and ${padded.loss}: expected the same`);
}
for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
  for (const { step, times } of contenders) {
    const start = performance.now();
    step.run();
    await step.loss();
    times.push(performance.now() - start);
  }
}

const tokens = rows.reduce((sum, row) => sum + row.tokens.length, 0);
const { description, device } = packed.device.info;
console.log(`${rows.length} rows, ${tokens} tokens; ${description || device}`);
const ratios = packed.times.map((time, i) => padded.times[i] / time);
const remark = `packed is ${median(ratios).toFixed(1)} times as fast [${Math.min(...ratios).toFixed(1)} - ` +
  `${Math.max(...ratios).toFixed(1)}] in ` +
  `${(padded.device.memory.peak / packed.device.memory.peak).toFixed(1)} times less memory`;
const table = textTable(
  ["layout", "rows of blocks", "rows of logits", "ms a step", "tokens/s", "peak memory"],
  contenders.map(({ layout, step, times, device }) => [
    layout,
    String(step.capacity.tokens),
    String(step.capacity.rows),
    spread(times, (time) => time.toFixed(0)),
    String(Math.round(tokens / median(times) * 1000)),
    formatBytes(device.memory.peak),
  ]),
);
console.log(`${tableText(table)}\n\n${remark}`);
await writeOut(values.out, "language_models", {
  packing: {
    command: [commandLine("bench/layouts/packing.ts")],
    ...await conditionsNow(description || device),
    tables: [table],
    remarks: [remark],
    raw: contenders.map(({ layout, times }) => ({ layout, milliseconds: times })),
  },
});
