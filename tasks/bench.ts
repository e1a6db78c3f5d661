import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { z } from "zod";
import { againstLines, type CommitRow, openerOf } from "../bench/commits/against.ts";
import { checkOut, sourceFolder } from "../bench/commits/checkout.ts";
import {
  againstHistory,
  appendHistory,
  FEWEST_TIMINGS,
  historyEntry,
  historyLines,
  readHistory,
} from "../bench/commits/history.ts";
import { openerOfOurs, timeContenders, timeInTurns } from "../bench/kernels/measure.ts";
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
import { cpuDriver } from "./_doctor/cpu_driver.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { DeviceFlags } from "./_cli/open_device.ts";
import { makeFolder } from "../base/files/line_file.ts";
import { UserError } from "../base/user_error.ts";

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
  against: z.string().default("").describe(
    "commit, branch or tag of this checkout to measure in turns with the files as they are, instead of peers",
  ),
  history: z.string().default("").describe(
    "JSON Lines file that gets a line; exits with 1 where a row takes 5 % longer or more than the median of its last " +
      "ten, by processor time on a CPU adapter, and not by chance",
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
  examples: [
    "bench",
    "bench --rows matmul --no-peers",
    "bench --against main --rows step --history bench.jsonl",
    "bench --out docs/benchmarks",
  ],
  config: BenchConfig,
  async run(config, io) {
    if (config.against && config.out) {
      throw new UsageError(
        "Cannot use --out with --against: pages show this commit beside peers. Leave one out",
      );
    }
    if (config.history && planOf(config).repeats < FEWEST_TIMINGS) {
      throw new UsageError(
        `Cannot use --history with ${
          config.quick ? "--quick" : `--repeats ${config.repeats}`
        }: a loss shows in ` +
          `${FEWEST_TIMINGS} timings or more. Use --repeats ${FEWEST_TIMINGS}`,
      );
    }
    const before = config.history ? await readHistory(config.history) : [];
    if (config.history) await makeFolder(dirname(config.history));
    if (config.out) await makeFolder(config.out);
    const device = await Device.open({ adapter: config.adapter, ...parseVariants(config.variant) });
    const report = startReport(device, config, await commitOf(sourceFolder()));
    const pairs = config.against ? await measureAgainst(report, device, config, io) : undefined;
    if (!pairs) await measure(report, device, config, io);
    const { entry, rejected = [] } = config.history && report.rows.length > 0
      ? historyEntry(report, {
        variant: config.variant,
        budget: planOf(config).budget,
        isCpu: device.isCpu,
        load: Number(loadavg()[0].toFixed(2)),
      })
      : {};
    const history = entry && againstHistory(before, entry);
    if (io.json) {
      const { rows: against, theirs: commit } = pairs ?? {};
      console.log(JSON.stringify({ ...report, ...(pairs && { against, commit }), history }, null, 2));
    } else {
      print(report, pairs, io);
      for (const line of history ? historyLines(history) : []) io.log(line);
    }
    for (const line of rejected) io.log(line);
    if (entry) await appendHistory(config.history, entry);
    if (config.out && report.rows.length > 0) await writePage(report, config.out, io);
    const lost = history?.filter(({ loss }) => loss === "resolved") ?? [];
    if (lost.length > 0) {
      throw new UserError(
        `Slower by 5 % or more than before: ${lost.map(({ row }) => row).join("; ")}. ` +
          "Find the commit with `genrec bench --against COMMIT`",
      );
    }
  },
};

/** This commit and its peers, row by row into the report. */
async function measure(report: Report, device: Device, config: BenchConfig, io: TaskIO): Promise<void> {
  const { rows, repeats, budget } = planOf(config);
  const peers = config.peers ? PEERS : [];
  await eachRow(rows, (1 + repeats) * (1 + peers.length), io, async (row, tick) => {
    const { adapter, variant } = config;
    const result = await timeContenders(row, device, peers, { adapter, variant, repeats, budget, tick });
    return () => report.rows.push(result);
  });
}

/** Two commits side by side. */
interface Pairs {
  /** What they are called. */
  ours: string;
  theirs: string;
  rows: CommitRow[];
}

/** This commit and another one in turns; the times of this one are in the report too. */
async function measureAgainst(
  report: Report,
  device: Device,
  config: BenchConfig,
  io: TaskIO,
): Promise<Pairs> {
  const { rows, repeats, budget } = planOf(config);
  await using other = await checkOut(config.against);
  const openers = [openerOfOurs(device, config), openerOf(other, [config.variant, config.adapter])];
  if (report.commit?.endsWith("+")) io.log(`${report.commit}: the files differ from that commit`);
  const pairs: Pairs = { ours: report.commit ?? "these files", theirs: other.commit, rows: [] };
  await eachRow(rows, (1 + repeats) * 2, io, async (row, tick) => {
    const [ours, theirs] = await timeInTurns(row.workload, openers, { repeats, budget, tick });
    return () => {
      report.rows.push({ ...row, ours, peers: [] });
      pairs.rows.push({ row, ours, theirs });
    };
  });
  return pairs;
}

/** Measures row by row until the user stops it, and keeps what is whole. */
async function eachRow(
  rows: readonly Row[],
  timings: number,
  io: TaskIO,
  measure: (row: Row, tick: () => void) => Promise<() => void>,
): Promise<void> {
  const progress = io.progress(rows.length * timings, "timings");
  let done = 0;
  for (const row of rows) {
    if (io.signal.aborted) break;
    const keep = await measure(row, () => progress.update(++done, row.name));
    // Ctrl-C reaches the contenders' processes too: what was cut off is no result.
    if (!io.signal.aborted) keep();
  }
  progress.stop();
}

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
      adapter: [adapterName(device.info), ...(device.isCpu ? [cpuDriver()?.version ?? []].flat() : [])].join(
        ", ",
      ),
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

function print(report: Report, pairs: Pairs | undefined, io: TaskIO): void {
  const { machine, rows } = report;
  io.log(`${machine.adapter}; ${machine.processor}, ${machine.cores} cores; Deno ${machine.deno}`);
  if (pairs) {
    for (const line of aligned(againstLines(pairs.rows, pairs.ours, pairs.theirs))) io.log(line);
    return;
  }
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
