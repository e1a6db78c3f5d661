/**
 * What each task takes of the memory, beside what it said that it would: the most that its process held, what it held in
 * the second half of its time, and the line `Memory: about` of its log.
 *
 *     deno run -A bench/speed/task_memory.ts [--data synthetic] [--holdout-rows 16000] [--only "sft;rl" --folder DIR]
 *         [--out docs/benchmarks]
 *
 * Later tasks read what earlier ones made, so `--only` needs the `--folder` of a run before it; with `--out`, rows of
 * tasks that were not run stay. Trainings leave `--holdout-rows` train targets out, which takes less time and no other
 * memory of the device. Linux alone tells what a process holds. Takes some minutes.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeFolder } from "../../base/files/line_file.ts";
import { UserError } from "../../base/user_error.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { sourceFolder } from "../commits/checkout.ts";
import { median } from "../kernels/report.ts";
import { commandLine, conditionsNow, readPages, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { processUsage, residentBytesNow } from "./process_usage.ts";
import { startServer } from "./server_process.ts";

const UNITS: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Most bytes that a log says its task takes; undefined where it says nothing. */
export function saidBytes(log: string): number | undefined {
  const said = [...log.matchAll(/Memory: about ([\d.]+) ([KMG]?i?B)\b/g)];
  return said.length === 0
    ? undefined
    : Math.max(...said.map(([, count, unit]) => Number(count) * UNITS[unit]));
}

/** Tasks by name, with flags: networks are large enough that the process without any work hides little. */
function tasksOf(data: string, folder: string, heldOut: string): Record<string, string> {
  const at = (name: string) => join(folder, name);
  const part = `--data ${data} --holdout-rows ${heldOut}`;
  const items = "--hidden-size 256 --num-hidden-layers 4 --num-train-epochs 1 --tokens-per-batch 8192";
  const encoder = "--d-model 256 --d-ff 1024 --tokens-per-batch 4096 --eval-samples 64";
  const vectors = at("vectors.npy");
  const fit = `sid --embeddings ${vectors} --data ${data}`;
  return {
    embed: `embed --data ${data} --provider static --dim 512 --out ${vectors}`,
    "sid, rqkmeans": `${fit} --method rqkmeans --codebook-size 64 --out ${at("rqkmeans")}`,
    "sid, rqvae": `${fit} --method rqvae --layers 4096,2048,512 --epochs 2 --out ${at("rqvae")}`,
    sft: `sft --data ${data} --sids ${at("rqkmeans")} --hidden-size 256 --intermediate-size 1024 ` +
      `--num-hidden-layers 4 --max-steps 2 --tokens-per-batch 4096 --eval-samples 0 --out ${at("sft")}`,
    rl: `rl --run ${at("sft")} --max-steps 1 --tokens-per-batch 1024 --eval-samples 16 --out ${at("rl")}`,
    evaluate: `evaluate --run ${at("sft")} --limit 128 --out ${at("evaluate")}`,
    "recommend --file": `recommend --run ${at("sft")} --file ${at("users.jsonl")} --out ${at("lists.jsonl")}`,
    "baseline, sasrec": `baseline --model sasrec ${part} ${items} --out ${at("sasrec")}`,
    "baseline, tiger": `baseline --model tiger ${part} --sids ${at("rqkmeans")} ${encoder} ` +
      `--num-train-epochs 1 --out ${at("tiger")}`,
    "baseline, markov": `baseline --model markov --data ${data} --out ${at("counts")}`,
    etegrec: `etegrec ${part} --embeddings ${vectors} --input semantic ${encoder} --tokenizer-epochs 2 ` +
      `--num-train-epochs 2 --cycle 2 --warm-epochs 0 --finetune-epochs 0 --out ${at("etegrec")}`,
    rank: `rank --data ${data} --runs ${at("counts")} --train-on valid --num-train-epochs 1 --out ${
      at("rank")
    }`,
    "serve, sft": `serve --data ${data} --run ${at("sft")}`,
    "serve, sasrec": `serve --data ${data} --run ${at("sasrec")}`,
    "serve, rank": `serve --data ${data} --run ${at("rank")}`,
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
/** Entries of a history that a server is asked with: as many as it takes. */
const LONG_HISTORY = 200;
/** Twice as many users as a server takes in a request each: after some thousands V8's young objects take all that they may. */
const ROUNDS = 24;
/** Items that all data to measure with have. */
const FEWEST_ITEMS = 100;

/** Looks at what a process holds until `ended` settles. */
async function watched(pid: number, ended: Promise<unknown>): Promise<Omit<TaskMemory, "said">> {
  let isOver = false;
  ended.catch(() => {}).finally(() => isOver = true);
  const held: number[] = [];
  let peak = 0;
  while (!isOver) {
    const resident = residentBytesNow(pid);
    if (resident !== undefined) held.push(resident);
    peak = Math.max(peak, processUsage(pid)?.peak ?? 0);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  return { peak, steady: median(held.slice(held.length >> 1)) };
}

async function watch(task: string): Promise<TaskMemory> {
  if (task.startsWith("serve ")) return await watchServer(task.split(" ").slice(1));
  const main = join(sourceFolder()!, "tasks", "main.ts");
  const args = ["run", "-A", "--no-check", main, ...task.split(" ")];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
  const ended = child.output();
  const held = await watched(child.pid, ended);
  const { success, stdout, stderr } = await ended;
  const log = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  if (!success) {
    throw new UserError(`Cannot measure ${task}: it failed: ${log.trim().split("\n").at(-1)}`);
  }
  return { said: saidBytes(log), ...held };
}

/** A server while it is asked for 1 to 16 users with long histories at once, in turn, and for many of them. */
async function watchServer(flags: readonly string[]): Promise<TaskMemory> {
  await using server = await startServer([...flags, "--deadline", "300"]);
  const users = Array.from({ length: 64 }, (_, user) => ({
    history: Array.from({ length: LONG_HISTORY }, (_, place) => (user + place) % FEWEST_ITEMS),
  }));
  const ask = async (count: number) => {
    const body = JSON.stringify({ users: users.slice(0, count) });
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`${server.url}/recommend`, { method: "POST", headers, body });
    if (!response.ok) throw new UserError(`Cannot measure serve: it answered ${await response.text()}`);
    await response.body?.cancel();
  };
  const asked = (async () => {
    for (let count = 1; count <= 16; count++) await ask(count);
    for (let round = 0; round < ROUNDS; round++) await Promise.all([ask(users.length), ask(users.length)]);
  })();
  const held = await watched(server.process.pid, asked);
  await asked;
  return { said: saidBytes(server.events.map(({ message }) => message).join("\n")), ...held };
}

const PAGE = "kernels";
const MEASUREMENT = "task-memory";

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: "synthetic" },
      "holdout-rows": { type: "string", default: "16000" },
      only: { type: "string", default: "" },
      folder: { type: "string", default: "" },
      out: { type: "string", default: "" },
    },
  });
  const folder = values.folder || await Deno.makeTempDir({ prefix: "genrec-memory-" });
  await makeFolder(folder);
  const histories = Array.from({ length: 128 }, (_, user) => ({ history: [user, user + 1, user + 2] }));
  await Deno.writeTextFile(
    join(folder, "users.jsonl"),
    histories.map((row) => JSON.stringify(row)).join("\n"),
  );
  const tasks = tasksOf(values.data, folder, values["holdout-rows"]);
  const names = values.only === "" ? Object.keys(tasks) : values.only.split(";").map((name) => name.trim());
  const unknown = names.find((name) => !(name in tasks));
  if (unknown !== undefined) {
    throw new UserError(`Cannot measure "${unknown}": expected some of ${Object.keys(tasks).join("; ")}`);
  }
  const pages = values.out === "" ? {} : await readPages(values.out);
  const before = pages[PAGE]?.[MEASUREMENT]?.tables[0].rows ?? [];
  const rows = new Map(before.map((row) => [`${row[0]}`, row.map(String)]));
  for (const name of names) {
    const { said, peak, steady } = await watch(tasks[name]);
    const share = said === undefined ? "" : `${(100 * said / peak).toFixed(0)} %`;
    const row = [
      name,
      said === undefined ? "nothing" : formatBytes(said),
      formatBytes(peak),
      share,
      formatBytes(steady),
    ];
    rows.set(name, row);
    console.error(row.join("  "));
  }
  const ordered = Object.keys(tasks).flatMap((name) => rows.has(name) ? [rows.get(name)!] : []);
  const table = textTable(["task", "said", "most held", "said / most", "held in the second half"], ordered);
  console.log(tableText(table));
  await writeOut(values.out, PAGE, {
    [MEASUREMENT]: {
      command: [commandLine("bench/speed/task_memory.ts")],
      ...await conditionsNow(),
      tables: [table],
    },
  });
  if (values.folder === "") await Deno.remove(folder, { recursive: true });
}
