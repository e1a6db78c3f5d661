/**
 * What an adapter makes of this project, as one report: every variant's time beside what a roofline predicts, training
 * steps of four sizes, beam search. Prints Markdown, and writes `report.md` and `report.json` to the folder `--out`.
 *
 *     deno run -A bench/gpu/report.ts [--quick] [--dtype float16] [--gpu "H200"]
 *         [--peak-tflops 67 --bandwidth 4800 [--peak-f16-tflops 134]] [--tests tests.tsv] [--out .]
 *     deno run -A bench/gpu/report.ts --predict --gpu H200 [--out docs/benchmarks]
 *
 * `--predict` times nothing: it says how long every kernel takes at least on a GPU that is not here, by a roofline, and
 * with `--out` writes that into the page of kernels there.
 *
 * Peaks are those published for the adapter's name (`peaks.ts`), or given: TFLOP/s of float32 and float16, GB/s. Without
 * either the columns that need them are empty. Products and attention are timed in float16 too. `--tests` is a file of lines "name, result, seconds" with tabs between.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { ATTENTION } from "../../kernels/attention/attention.ts";
import { autotune } from "../../kernels/autotune.ts";
import { Device, type DeviceOptions } from "../../kernels/gpu/device.ts";
import { MATMUL } from "../../kernels/matmul/matmul.ts";
import { OPERATIONS } from "../../kernels/operations.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { buildTrie } from "../../sid/trie.ts";
import { estimateTraining, formatBytes } from "../../train/run/estimate.ts";
import { median } from "../kernels/report.ts";
import { OPTIMIZER } from "../kernels/workload.ts";
import { microBatch, sftStep } from "../layouts/sft.ts";
import { sftRows } from "../layouts/sft_rows.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { randomInputs } from "../peers/generate_inputs.ts";
import { type KernelRow, kernelRows } from "./kernel_rows.ts";
import { peakRatesOf } from "./peaks.ts";
import { predict, predictionTable } from "./predict.ts";
import { rooflineTime } from "./roofline.ts";
import { STEP_SHAPES } from "./step_shapes.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    predict: { type: "boolean", default: false },
    dtype: { type: "string", default: "float32" },
    gpu: { type: "string", default: "" },
    "peak-tflops": { type: "string" },
    "peak-f16-tflops": { type: "string" },
    bandwidth: { type: "string" },
    tests: { type: "string" },
    out: { type: "string", default: "" },
  },
});
const device = await Device.open({ dtype: values.dtype as DeviceOptions["dtype"] });
const adapter = device.info.description || device.info.device;
const published = peakRatesOf(values.gpu || adapter);
const peaks = values["peak-tflops"] && values.bandwidth
  ? {
    f32: Number(values["peak-tflops"]) * 1e12,
    f16: values["peak-f16-tflops"] ? Number(values["peak-f16-tflops"]) * 1e12 : undefined,
    bandwidth: Number(values.bandwidth) * 1e9,
    source: "as given",
  }
  : published;

if (values.predict) {
  if (!peaks) {
    throw new UserError(
      `Cannot predict for "${values.gpu}": its peaks are not known. Give --peak-tflops and --bandwidth, or a --gpu of peaks.ts`,
    );
  }
  const size = values.quick ? { side: 64, tokens: 512 } : { side: 4096 };
  const predictions = await predict(values.gpu, peaks, device, size);
  const table = predictionTable(predictions);
  console.log(tableText(table));
  const { machine: _, ...conditions } = await conditionsNow();
  await writeOut(values.out, "kernels", {
    roofline: {
      command: [commandLine("bench/gpu/report.ts")],
      ...conditions,
      machine: `predicted for ${values.gpu}, not run: ${peaks.source}`,
      tables: [table],
      raw: predictions,
    },
  });
  Deno.exit(0);
}

interface Section {
  title: string;
  headings: string[];
  lines: string[][];
  notes: string[];
}

/** Rows and columns of the largest product. */
const side = values.quick ? 64 : 4096;
const sections: Section[] = [];
if (values.tests) {
  const lines = (await Deno.readTextFile(values.tests)).trim().split("\n").map((line) => line.split("\t"));
  sections.push({ title: "Kernel tests", headings: ["test", "result", "seconds"], lines, notes: [] });
}
sections.push(await kernels(device, "Kernels", kernelRows(device, side)));
if (device.dtype === "f32") {
  const half = await Device.open({ dtype: "float16" });
  const rows = kernelRows(half, side).filter(({ name }) =>
    [MATMUL, ATTENTION].some((operation) => name.startsWith(`${operation.name} `))
  );
  sections.push(await kernels(half, "Products and attention of matrices stored in float16", rows));
}
sections.push(await steps(), await search());

const head = [
  `# ${adapter}`,
  "",
  `${
    new Date().toISOString().slice(0, 10)
  }, ${device.layout} layout, ${values.dtype}, Deno ${Deno.version.deno}. ` +
  (peaks
    ? `Peaks: ${(peaks.f32 / 1e12).toPrecision(3)} TFLOP/s of float32, ${
      peaks.f16 ? `${(peaks.f16 / 1e12).toPrecision(3)} of float16, ` : ""
    }${(peaks.bandwidth / 1e9).toPrecision(3)} GB/s (${peaks.source}).`
    : "No peaks are known of it: --peak-tflops and --bandwidth give them."),
];
const body = sections.flatMap(({ title, headings, lines, notes }) => [
  "",
  `## ${title}`,
  "",
  tableText(textTable(headings, lines)),
  ...notes.flatMap((note) => ["", note]),
]);
const markdown = [...head, ...body, ""].join("\n");
console.log(markdown);
if (values.out) {
  await Deno.mkdir(values.out, { recursive: true });
  await writeAtomic(join(values.out, "report.md"), markdown);
  const facts = { adapter, layout: device.layout, dtype: values.dtype, peaks, sections };
  await writeAtomic(join(values.out, "report.json"), JSON.stringify(facts, null, 2) + "\n");
}
Deno.exit(0);

async function kernels(device: Device, title: string, rows: readonly KernelRow[]): Promise<Section> {
  const lines: string[][] = [];
  const below: string[] = [];
  for (const row of rows) {
    const { name, variant, work, arithmetic } = row;
    try {
      const seconds = await device.scope(() => timed(device, row));
      const rate = work.flops / seconds;
      const flow = work.bytes / seconds;
      const predicted = peaks && rooflineTime(work, peaks, arithmetic);
      if (predicted && seconds < 0.9 * predicted.seconds) below.push(`${name} ${variant}`);
      lines.push([
        name,
        variant,
        milliseconds(seconds),
        (rate / 1e9).toPrecision(3),
        peaks?.[arithmetic] ? `${share(rate / peaks[arithmetic])} of ${arithmetic}` : "",
        (flow / 1e9).toPrecision(3),
        peaks ? share(flow / peaks.bandwidth) : "",
        predicted ? milliseconds(predicted.seconds) : "",
        predicted ? predicted.bound : "",
        predicted ? (seconds / predicted.seconds).toFixed(1) : "",
      ]);
    } catch (error) {
      lines.push([name, variant, (error as Error).message, ...Array(7).fill("")]);
    } finally {
      for (const operation of OPERATIONS) device.variants.pin(operation, undefined);
      device.trim();
    }
  }
  const notes = [
    "Predicted is the longer of FLOPs at the peak and bytes, each moved once, at the bandwidth. Peaks are those " +
    "of arithmetic outside of tensor cores, which WebGPU does not reach.",
  ];
  if (below.length > 0) {
    notes.push(
      `Faster than predicted, so peaks or counts are wrong, or a cache holds it: ${below.join(", ")}.`,
    );
  }
  const headings = ["kernel", "variant", "ms", "GFLOP/s", "of peak", "GB/s", "of bandwidth"];
  return {
    title,
    headings: [...headings, "predicted ms", "bound by", "measured / predicted"],
    lines,
    notes,
  };
}

/** Seconds of one call, by the adapter's own clock where it has one. */
async function timed(device: Device, { prepare }: KernelRow): Promise<number> {
  const { call, flats } = prepare(device);
  const turns = values.quick ? 3 : 10;
  const once = () => device.scope(call);
  try {
    once();
    await device.settle();
    const times: number[] = [];
    for (let i = 0; i < turns; i++) {
      if (device.features.has("timestamp-query")) {
        const rows = await device.profile(once);
        times.push(rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000);
        continue;
      }
      const repeated = async (count: number) => {
        const start = performance.now();
        for (let i = 0; i < count; i++) once();
        await device.settle();
        return (performance.now() - start) / 1000;
      };
      times.push(Math.max(1e-9, (await repeated(21) - await repeated(1)) / 20));
    }
    return median(times);
  } finally {
    flats.forEach((flat) => device.destroy(flat));
  }
}

async function steps(): Promise<Section> {
  const lines: string[][] = [];
  for (const { name, config, tokens } of values.quick ? STEP_SHAPES.slice(0, 1) : STEP_SHAPES) {
    try {
      const rows = sftRows(config.vocab_size, { tokens: values.quick ? 512 : tokens });
      const own = await Device.open({ dtype: values.dtype as DeviceOptions["dtype"] });
      const targets = rows.reduce((sum, row) => sum + row.targets.length, 0);
      const length = rows.reduce((sum, row) => sum + row.tokens.length, 0);
      const estimate = await estimateTraining(own, {
        dtype: values.dtype as DeviceOptions["dtype"],
        decoder: (rehearsal) => new Decoder(rehearsal, config, {}),
        capacity: { tokens: length, rows: targets },
        optimizer: { ...OPTIMIZER, emaDecay: 0 },
        microBatch: (rehearsal, decoder) => microBatch(rehearsal, decoder, rows, "packed").record,
        epoch: { tokens: length, targets, sequences: rows.length, steps: 1 },
        steps: 1,
        saves: 1,
      });
      const step = sftStep(own, config, rows, "packed");
      step.run();
      await step.loss();
      if (!own.isCpu) await autotune(own, new Map());
      const times: number[] = [];
      let loss = 0;
      for (let i = 0; i < (values.quick ? 2 : 8); i++) {
        const start = performance.now();
        step.run();
        loss = await step.loss();
        times.push((performance.now() - start) / 1000);
      }
      if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
      const seconds = median(times);
      const rate = estimate.flops.step / seconds;
      lines.push([
        name,
        `${length}`,
        milliseconds(seconds),
        `${Math.round(length / seconds)}`,
        (rate / 1e12).toPrecision(3),
        peaks ? share(rate / peaks.f32) : "",
        peaks ? milliseconds(estimate.flops.step / peaks.f32) : "",
        formatBytes(estimate.memory.total),
        formatBytes(own.memory.peak),
      ]);
      own.gpu.destroy();
    } catch (error) {
      lines.push([name, `${tokens}`, (error as Error).message, ...Array(6).fill("")]);
    }
  }
  return {
    title: "Training steps",
    headings: [
      "model",
      "tokens",
      "ms",
      "tokens/s",
      "TFLOP/s",
      "MFU",
      "ms at the peak",
      "memory, estimated",
      "taken",
    ],
    lines,
    notes: ["MFU is model FLOP utilisation: the step's products, backward included, at the f32 peak."],
  };
}

async function search(): Promise<Section> {
  const folder = await Deno.makeTempDir();
  const { decoder, prompts, samples } = await randomInputs(device, folder, join(folder, "none"), 0);
  await Deno.remove(folder, { recursive: true });
  const trie = new DeviceTrie(device, buildTrie(prompts.itemTokens));
  const users = samples.slice(0, values.quick ? 8 : 512).map(({ history }) => prompts.prompt(history));
  const lines: string[][] = [];
  for (const beams of values.quick ? [50] : [50, 256]) {
    const beamed = new BeamSearch(device, decoder, trie, { beams, normalisation: "vocab" });
    const run = async () => {
      for (let i = 0; i < users.length; i += beamed.promptsPerBatch) {
        await beamed.run(users.slice(i, i + beamed.promptsPerBatch));
      }
    };
    await run();
    const start = performance.now();
    await run();
    const seconds = (performance.now() - start) / 1000;
    const alone = performance.now();
    await beamed.run(users.slice(0, 1));
    lines.push([
      `${beams}`,
      `${users.length}`,
      (users.length / seconds).toPrecision(3),
      milliseconds((performance.now() - alone) / 1000),
    ]);
    beamed.destroy();
  }
  return {
    title: "Beam search, 0.9 M, 3000 items",
    headings: ["beams", "users", "users/s", "ms for one user"],
    lines,
    notes: [],
  };
}

function milliseconds(seconds: number): string {
  return (1000 * seconds).toPrecision(3);
}

function share(value: number): string {
  return `${(100 * value).toPrecision(3)} %`;
}
