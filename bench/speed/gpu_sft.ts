/**
 * Training steps of a Qwen2.5 shape with random weights, in float32 and float16: tokens/s, model FLOP utilisation and
 * memory, as a Markdown table. `deno run -A bench/speed/gpu_sft.ts --peak-tflops 67 [--out docs/benchmarks]`; the peak is the adapter's for float32
 * arithmetic, which is what the kernels compute in.
 */
import { parseArgs } from "node:util";
import { autotune } from "../../kernels/autotune.ts";
import { Device, type DeviceOptions } from "../../kernels/gpu/device.ts";
import { Decoder, type DecoderOptions } from "../../models/decoder/decoder.ts";
import { estimateTraining, formatBytes } from "../../train/run/estimate.ts";
import { median, spread } from "../kernels/report.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { microBatch, sftStep } from "../layouts/sft.ts";
import { sftRows } from "../layouts/sft_rows.ts";
import { SFT_SHAPES } from "../layouts/sft_shapes.ts";
import { OPTIMIZER } from "../kernels/workload.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "Qwen2.5-0.5B" },
    tokens: { type: "string", default: "4096" },
    steps: { type: "string", default: "8" },
    dtypes: { type: "string", default: "float32,float16" },
    "gradient-checkpointing": { type: "boolean", default: false },
    "peak-tflops": { type: "string" },
    "no-tune": { type: "boolean", default: false },
    out: { type: "string", default: "" },
  },
});
const config = SFT_SHAPES[values.shape as keyof typeof SFT_SHAPES];
if (!config) throw new Error(`No shape ${values.shape}: known are ${Object.keys(SFT_SHAPES).join(", ")}`);
const options: DecoderOptions = { gradientCheckpointing: values["gradient-checkpointing"] };
const rows = sftRows(config.vocab_size, { tokens: Number(values.tokens) });
const peak = values["peak-tflops"] === undefined ? undefined : Number(values["peak-tflops"]);

console.log(`${values.shape}, ${rows.length} rows of Industrial in a step`);
const HEADINGS = [
  "dtype",
  "tokens",
  "targets",
  "ms a step",
  "tokens/s",
  "TFLOP/s",
  "MFU",
  "memory, estimated",
  "taken",
];
const lines: string[][] = [];
let adapter = "";
for (const dtype of values.dtypes.split(",") as DeviceOptions["dtype"][]) {
  try {
    lines.push(await measure(dtype));
  } catch (error) {
    lines.push(HEADINGS.map((_, i) => [String(dtype), (error as Error).message][i] ?? ""));
  }
}
const table = textTable(HEADINGS, lines);
console.log(tableText(table));
await writeOut(values.out, "language_models", {
  "gpu-step": {
    command: [commandLine("bench/speed/gpu_sft.ts")],
    ...await conditionsNow(adapter),
    tables: [table],
  },
});

async function measure(dtype: DeviceOptions["dtype"]): Promise<string[]> {
  const device = await Device.open({ dtype });
  adapter = device.info.description || device.info.device;
  const tokens = rows.reduce((sum, row) => sum + row.tokens.length, 0);
  const targets = rows.reduce((sum, row) => sum + row.targets.length, 0);
  const estimate = await estimateTraining(device, {
    dtype,
    decoder: (rehearsal) => new Decoder(rehearsal, config, options),
    capacity: { tokens, rows: targets },
    optimizer: { ...OPTIMIZER, emaDecay: 0 },
    microBatch: (rehearsal, decoder) => microBatch(rehearsal, decoder, rows, "packed").record,
    epoch: { tokens, targets, sequences: rows.length, steps: 1 },
    steps: 1,
    saves: 1,
  });
  const step = sftStep(device, config, rows, "packed", options);
  step.run();
  await step.loss();
  if (!values["no-tune"]) await autotune(device, new Map());
  step.run();
  let loss = await step.loss();
  const times: number[] = [];
  for (let i = 0; i < Number(values.steps); i++) {
    const start = performance.now();
    step.run();
    loss = await step.loss();
    times.push(performance.now() - start);
  }
  if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
  const seconds = median(times) / 1000;
  const rate = estimate.flops.step / seconds;
  const row = [
    `${dtype}`,
    `${tokens}`,
    `${targets}`,
    spread(times, (time) => time.toFixed(1)),
    `${Math.round(tokens / seconds)}`,
    (rate / 1e12).toFixed(2),
    peak === undefined ? "" : `${(100 * rate / peak / 1e12).toFixed(1)} %`,
    formatBytes(estimate.memory.total),
    formatBytes(device.memory.peak),
  ];
  device.gpu.destroy();
  return row;
}
