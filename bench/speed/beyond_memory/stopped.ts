/**
 * A check and a count of a generated dataset that are killed after a share of the time that they take, and go on: what that
 * takes, beside the whole. Ends with 1 where the report or the counts are not those of the whole. On Linux:
 *
 *     deno run -A bench/speed/beyond_memory/stopped.ts [--only check,counts] [--interactions 10000000] [--share 0.6] [--folder DIR]
 *         [--out docs/benchmarks]
 *
 * Rows of other tasks and sizes stay. What takes less than half a minute until it is killed starts anew, which is an error here.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sha256 } from "../../../base/files/sha256.ts";
import { commandLine, conditionsNow, writeRows } from "../../pages/files.ts";
import { tableText, textTable } from "../../pages/page.ts";
import { exists } from "../../results/command.ts";
import { generateDataset } from "./dataset.ts";
import { cells, run, runUntil } from "./process.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "check,counts" },
    interactions: { type: "string", default: "10000000" },
    share: { type: "string", default: "0.6" },
    folder: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});

/** A command, and what must be the same of it, by what it printed and wrote. */
interface Stoppable {
  name: string;
  args(dataset: string, out: string): string[];
  result(stdout: string, out: string): Promise<string>;
}

const TASKS: Record<string, Stoppable> = {
  check: {
    name: "data --check",
    args: (dataset) => ["tasks/main.ts", "data", "--check", dataset],
    result: (stdout) => Promise.resolve(stdout.replace(/^Goes on .*\n/m, "")),
  },
  counts: {
    name: "baseline --model transitions",
    args: (dataset, out) => [
      ...["tasks/main.ts", "baseline", "--model", "transitions", "--data", dataset],
      ...["--out", out],
    ],
    result: (_, out) => sha256(join(out, "checkpoints/step-1/model.safetensors")),
  },
};

const folder = values.folder || await Deno.makeTempDir({ prefix: "genrec-bench-stopped-" });
const rows: string[][] = [];
try {
  const dataset = join(folder, values.interactions);
  if (!await exists(join(dataset, "dataset.json"))) {
    await generateDataset(dataset, Number(values.interactions));
  }
  for (const { name, args, result } of values.only.split(",").map((task) => TASKS[task])) {
    const outs = await Deno.makeTempDir({ dir: folder });
    const whole = await run(...args(dataset, join(outs, "whole")));
    const killed = await runUntil(Number(values.share) * whole.seconds, args(dataset, join(outs, "killed")));
    const again = await run(...args(dataset, join(outs, "killed")));
    const [expected, found] = [
      await result(whole.stdout, join(outs, "whole")),
      await result(again.stdout, join(outs, "killed")),
    ];
    await Deno.remove(outs, { recursive: true });
    if (found !== expected) throw new Error(`${name} ends with another result: ${expected}\n${found}`);
    if (!/^Goes on /m.test(again.stdout)) throw new Error(`${name} started anew: ${again.stdout}`);
    for (const [what, used] of Object.entries({ whole, "until it is killed": killed, "the rest": again })) {
      rows.push([name, Number(values.interactions).toLocaleString("en"), what, ...cells(used)]);
      console.error(rows.at(-1)!.join(" | "));
    }
  }
} finally {
  if (!values.folder) await Deno.remove(folder, { recursive: true });
}
const table = textTable([
  "task",
  "interactions",
  "what",
  "time",
  "processor time",
  "peak memory of the process",
], rows);
console.log(tableText(table));
const command = [commandLine("bench/speed/beyond_memory/stopped.ts")];
await writeRows(values.out, "data", "stopped", { command, ...await conditionsNow(), tables: [table] }, 3);
