/**
 * What each task takes of the memory, beside what it said that it would: the most that its process held, what it held in
 * the second half of its time, and the line `Memory: about` of its log.
 *
 *     deno run -A bench/speed/task_memory.ts --data DIR [--only sft,rl]
 *
 * The dataset needs an index of SIDs, as `../shared/data/minionerec-industrial` has one. Later tasks read what earlier
 * ones made, so `--only` needs `--folder` of a run before it. Linux alone tells what a process holds. Takes some minutes.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeFolder } from "../../base/files/line_file.ts";
import { UserError } from "../../base/user_error.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { sourceFolder } from "../commits/checkout.ts";
import { median } from "../kernels/report.ts";
import { tableText, textTable } from "../pages/page.ts";
import { processUsage, residentBytesNow } from "./process_usage.ts";

const UNITS: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Most bytes that a log says its task takes; undefined where it says nothing. */
export function saidBytes(log: string): number | undefined {
  const said = [...log.matchAll(/Memory: about ([\d.]+) ([KMG]?i?B)\b/g)];
  return said.length === 0
    ? undefined
    : Math.max(...said.map(([, count, unit]) => Number(count) * UNITS[unit]));
}

/** Tasks by name, with flags: networks are large enough that the process without any work hides little. */
function tasksOf(data: string, folder: string): Record<string, string> {
  const at = (name: string) => join(folder, name);
  const network = "--hidden-size 256 --num-hidden-layers 4 --num-train-epochs 1 --tokens-per-batch 8192";
  return {
    sft:
      `sft --data ${data} --hidden-size 256 --intermediate-size 1024 --num-hidden-layers 4 --max-steps 2 ` +
      `--tokens-per-batch 4096 --eval-samples 0 --out ${at("sft")}`,
    rl: `rl --run ${at("sft")} --max-steps 1 --tokens-per-batch 1024 --eval-samples 16 --out ${at("rl")}`,
    evaluate: `evaluate --run ${at("sft")} --limit 128 --out ${at("evaluate")}`,
    recommend: `recommend --run ${at("sft")} --history 1,2,3`,
    sasrec: `baseline --model sasrec --data ${data} ${network} --out ${at("sasrec")}`,
    counts: `baseline --model markov --data ${data} --out ${at("counts")}`,
    convert: `convert --from ${data} --to recbole --out ${at("recbole")}`,
    "data --check": `data --check ${data}`,
  };
}

/** What a task took. */
interface TaskMemory {
  said: number | undefined;
  peak: number;
  steady: number;
}

const LOOK_EVERY = 50;

async function watch(task: string): Promise<TaskMemory> {
  const main = join(sourceFolder()!, "tasks", "main.ts");
  const args = ["run", "-A", "--no-check", main, ...task.split(" ")];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
  let isOver = false;
  const ended = child.output().finally(() => isOver = true);
  const held: number[] = [];
  let peak = 0;
  while (!isOver) {
    const resident = residentBytesNow(child.pid);
    if (resident !== undefined) held.push(resident);
    peak = Math.max(peak, processUsage(child.pid)?.peak ?? 0);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  const { success, stdout, stderr } = await ended;
  const log = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  if (!success) {
    throw new UserError(`Cannot measure ${task}: it failed: ${log.trim().split("\n").at(-1)}`);
  }
  return { said: saidBytes(log), peak, steady: median(held.slice(held.length >> 1)) };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: "" },
      only: { type: "string", default: "" },
      folder: { type: "string", default: "" },
    },
  });
  if (values.data === "") throw new UserError("Name a dataset with --data");
  const folder = values.folder || await Deno.makeTempDir({ prefix: "genrec-memory-" });
  await makeFolder(folder);
  const tasks = tasksOf(values.data, folder);
  const names = values.only === "" ? Object.keys(tasks) : values.only.split(",").map((name) => name.trim());
  const rows: string[][] = [];
  for (const name of names) {
    const { said, peak, steady } = await watch(tasks[name]);
    const share = said === undefined ? "" : `${(100 * said / peak).toFixed(0)} %`;
    rows.push([
      name,
      said === undefined ? "nothing" : formatBytes(said),
      formatBytes(peak),
      share,
      formatBytes(steady),
    ]);
    console.error(rows.at(-1)!.join("  "));
  }
  const table = textTable(["task", "said", "most held", "said / most", "held in the second half"], rows);
  console.log(tableText(table));
  if (values.folder === "") await Deno.remove(folder, { recursive: true });
}
