import { cpus } from "node:os";
import { z } from "zod";
import { timeContenders } from "../bench/kernels/measure.ts";
import { PACKAGES } from "../bench/kernels/packages.ts";
import { PEERS } from "../bench/kernels/peers.ts";
import {
  aligned,
  HEADINGS,
  measurementsOf,
  MEMORY_HEADINGS,
  memoryLines,
  type Report,
  type Row,
  summaryLines,
  workloadLines,
} from "../bench/kernels/report.ts";
import { ROWS } from "../bench/kernels/rows.ts";
import { commitOf, writeMeasurement } from "../bench/pages/files.ts";
import manifest from "../deno.json" with { type: "json" };
import { adapterName } from "../kernels/gpu/adapters.ts";
import { Device } from "../kernels/gpu/device.ts";
import { parseVariants } from "../kernels/variant_names.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { DeviceFlags } from "./_cli/open_device.ts";
import { makeFolder } from "../base/files/line_file.ts";

const GROUPS = ["matmul", "attention", "step"] as const;

const BenchConfig = z.strictObject({
  rows: z.array(z.enum(GROUPS)).min(1).default([...GROUPS]).describe("what to measure"),
  peers: z.boolean().default(true).describe(
    "also measure tfjs, jax-js and onnxruntime, downloaded when first used, and PyTorch where Python has it",
  ),
  repeats: z.int().min(1).default(5).describe("timings of each row; ours and the peers' take turns"),
  budget: z.int().min(1).default(400).describe("milliseconds of work a timing"),
  quick: z.boolean().default(false).describe(
    "one short timing of each row, smallest model only: does all of it run?",
  ),
  ...DeviceFlags,
  out: z.string().default("").describe(
    "folder of pages: kernels.md there is made anew, with the figures in kernels.json beside it",
  ),
});
type BenchConfig = z.output<typeof BenchConfig>;

export const task: Task<typeof BenchConfig> = {
  name: "bench",
  summary: "kernels and a training step beside tfjs, jax-js, onnxruntime and PyTorch, on this adapter",
  examples: ["bench", "bench --rows matmul --no-peers", "bench --out docs/benchmarks"],
  config: BenchConfig,
  async run(config, io) {
    const { rows, repeats, budget } = planOf(config);
    if (config.out) await makeFolder(config.out);
    const device = await Device.open({ adapter: config.adapter, ...parseVariants(config.variant) });
    const peers = config.peers ? PEERS : [];
    const report = startReport(device, config, await commitOf());
    const progress = io.progress(rows.length * (1 + peers.length) * (1 + repeats), "timings");
    let done = 0;
    for (const row of rows) {
      if (io.signal.aborted) break;
      const tick = () => progress.update(++done, row.name);
      const result = await timeContenders(row, device, peers, {
        adapter: config.adapter,
        variant: config.variant,
        repeats,
        budget,
        tick,
      });
      // Ctrl-C reaches the contenders' processes too: what was cut off is no result.
      if (!io.signal.aborted) report.rows.push(result);
    }
    progress.stop();
    if (io.json) console.log(JSON.stringify(report, null, 2));
    else print(report, io);
    if (config.out && report.rows.length > 0) await writePage(report, config.out, io);
  },
};

function planOf(config: BenchConfig): { rows: Row[]; repeats: number; budget: number } {
  const rows = ROWS.filter(({ group }) => config.rows.includes(group));
  if (!config.quick) return { rows, repeats: config.repeats, budget: config.budget };
  const wide = (row: Row) => row.workload.kind === "step" && row.workload.width > 128;
  return { rows: rows.filter((row) => !wide(row)), repeats: 1, budget: Math.min(config.budget, 60) };
}

function startReport(device: Device, config: BenchConfig, commit?: string): Report {
  const processors = cpus();
  const { rows, repeats, budget, quick, peers, adapter, variant } = config;
  const flags = [
    rows.length < GROUPS.length ? ` --rows ${rows.join()}` : "",
    quick ? " --quick" : ` --repeats ${repeats} --budget ${budget}`,
    peers ? "" : " --no-peers",
    adapter ? ` --adapter ${adapter}` : "",
    variant ? ` --variant ${variant}` : "",
  ];
  return {
    date: new Date().toISOString().slice(0, 10),
    ...(commit === undefined ? {} : { commit }),
    command: `./genrec bench${flags.join("")}`,
    machine: {
      adapter: adapterName(device.info),
      processor: processors[0]?.model ?? "unknown processor",
      cores: processors.length,
      system: `${Deno.build.os} ${Deno.build.arch}`,
      deno: Deno.version.deno,
      genrec: manifest.version,
    },
    packages: peers ? PACKAGES : {},
    rows: [],
  };
}

function print(report: Report, io: TaskIO): void {
  const { machine, rows } = report;
  io.log(`${machine.adapter}; ${machine.processor}, ${machine.cores} cores; Deno ${machine.deno}`);
  for (const line of aligned([[...HEADINGS], ...rows.flatMap(workloadLines)])) io.log(line);
  for (const line of summaryLines(rows)) io.log(line);
  const memory = memoryLines(rows);
  if (memory.length > 0) { for (const line of aligned([[...MEMORY_HEADINGS], ...memory])) io.log(line); }
}

async function writePage(report: Report, folder: string, io: TaskIO): Promise<void> {
  for (const [name, measurement] of Object.entries(measurementsOf(report))) {
    const files = await writeMeasurement(folder, "kernels", name, measurement);
    io.log(`Wrote ${name} to ${files.join(" and ")}`);
  }
}
