/**
 * Kills every task that writes at random moments and lets it go on: the same command with --resume where it has that
 * flag, else the same command again. Nothing may be lost: the files are then, byte for byte, those of a run that nobody
 * killed, but for times, and nothing else lies beside them.
 *
 *     deno run -A bench/kill.ts [--kills 200] [--seed 42] [--tasks data,embed,...] [--out docs/benchmarks]
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { PhiloxStream } from "../base/philox.ts";
import { commandLine, conditionsNow, writeOut } from "./pages/files.ts";
import { type Table, tableText } from "./pages/page.ts";

/** A command line that is killed. */
interface Subject {
  name: string;
  /** Flags without --out, in the words of a shell. */
  flags: string;
  /** What it writes, from the folder of the trial; others that it makes are found by themselves. */
  out: string;
  resumes?: boolean;
}

const DECODER = "--hidden-size 16 --intermediate-size 16 --num-hidden-layers 1 --num-attention-heads 2 " +
  "--num-key-value-heads 2 --tokens-per-batch 256 --eval-beams 4";
const TINY_T5 = "--d-model 8 --d-kv 4 --d-ff 8 --num-layers 1 --num-decoder-layers 1 --num-heads 2 " +
  "--tokenizer-levels 2 --tokenizer-codebook-size 8 --tokenizer-latent-dim 4 --tokenizer-layers 8 " +
  "--tokenizer-epochs 20 --num-train-epochs 2 --warm-epochs 0";

/** Later ones work on what earlier ones made, which is theirs in `made/`. */
export const SUBJECTS: readonly Subject[] = [
  {
    name: "data",
    flags: "--dataset generic --reviews ../log.csv --user user --item item --time time --title title " +
      "--user-k 1 --item-k 1 --split leave-one-out",
    out: "shop",
  },
  { name: "convert", flags: "--from ../made/shop --to recbole", out: "recbole" },
  { name: "embed", flags: "--data ../made/shop --dim 8 --save-every 4", out: "items.npy" },
  {
    name: "baseline",
    flags:
      "--model sasrec --data ../made/shop --hidden-size 8 --num-hidden-layers 1 --num-attention-heads 1 " +
      "--num-train-epochs 6 --max-length 8",
    out: "sasrec",
    resumes: true,
  },
  {
    name: "sid",
    flags: "--data ../made/shop --embeddings ../made/items.npy --method rqkmeans --codebook-size 8",
    out: "sids",
  },
  {
    name: "sft",
    flags: `--data ../made/shop --sids ../made/sids --max-steps 8 --save-steps 2 --eval-steps 4 ${DECODER}`,
    out: "sft",
    resumes: true,
  },
  {
    name: "rl",
    flags:
      "--run ../made/sft --max-steps 4 --save-steps 1 --eval-steps 2 --num-generations 3 --prompts-per-step 4 " +
      "--eval-samples 8",
    out: "rl",
    resumes: true,
  },
  {
    name: "etegrec",
    flags:
      `--data ../made/shop --embeddings ../made/items.npy --input semantic --frozen-epochs 1 --finetune-epochs 1 ${TINY_T5}`,
    out: "etegrec",
    resumes: true,
  },
  { name: "evaluate", flags: "--run ../made/sft --beams 4", out: "eval", resumes: true },
];

const USERS = 60, ITEMS = 30, EACH = 8;
const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "tasks", "main.ts");

/** What a kill did. */
export interface Kill {
  task: string;
  /** Seconds after the start. */
  after: number;
  /** Whether the process had ended by itself before. */
  tooLate: boolean;
  /** What is not as in the run that nobody killed; "" where nothing is. */
  fault: string;
}

/** How often a trial may end before its moment, which brings the next moment forward. */
const MOST_LATE = 20;

/** Runs everything once, then kills it `kills` times in all, in turn: ends before a moment came do not count. */
export async function killTasks(
  { kills, seed, names, log }: {
    kills: number;
    seed: number;
    names?: readonly string[];
    log(line: string): void;
  },
): Promise<Kill[]> {
  const folder = await Deno.makeTempDir({ prefix: "genrec-kill-" });
  const random = new PhiloxStream(seed, "bench kill");
  try {
    await Deno.writeTextFile(join(folder, "log.csv"), makeLog(random));
    await Deno.mkdir(join(folder, "made"));
    const made = new Map<string, { files: Map<string, string>; seconds: number }>();
    let before: string[] = [];
    // Those that none of the chosen ones needs are left out.
    const last = names
      ? Math.max(...names.map((name) => SUBJECTS.findIndex((one) => one.name === name)))
      : 99;
    for (const subject of SUBJECTS.slice(0, last + 1)) {
      const started = performance.now();
      const { code, stderr } = await ended(start(join(folder, "made"), subject));
      if (code !== 0) throw new Error(`${subject.name} fails even when nobody kills it: ${stderr}`);
      const all = [...await hashes(join(folder, "made"))];
      const files = new Map(all.filter(([path]) => !before.includes(path)));
      before = all.map(([path]) => path);
      made.set(subject.name, { files, seconds: (performance.now() - started) / 1000 });
      log(`${subject.name}: ${files.size} files in ${made.get(subject.name)!.seconds.toFixed(1)} s`);
    }
    const done: Kill[] = [];
    const subjects = SUBJECTS.filter(({ name }) => !names || names.includes(name));
    for (let i = 0; i < kills; i++) {
      const subject = subjects[i % subjects.length];
      const { files, seconds } = made.get(subject.name)!;
      let latest = seconds;
      for (let late = 0;; late++) {
        const after = random.uniform() * latest;
        const kill = await trial(join(folder, "trial"), subject, files, after);
        done.push(kill);
        const state = kill.tooLate ? "had ended" : "killed";
        log(
          `${i + 1} ${kill.task}: ${state} after ${after.toFixed(2)} s, ${kill.fault || "as it should be"}`,
        );
        if (!kill.tooLate) break;
        if (late === MOST_LATE) {
          throw new Error(`${subject.name} cannot be killed: it ends within ${after} s`);
        }
        latest = after;
      }
    }
    return done;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function trial(
  folder: string,
  subject: Subject,
  expected: ReadonlyMap<string, string>,
  after: number,
): Promise<Kill> {
  await Deno.mkdir(folder);
  try {
    const process = start(folder, subject);
    const timer = setTimeout(() => process.kill("SIGKILL"), after * 1000);
    const { signal } = await ended(process).finally(() => clearTimeout(timer));
    const told = { task: subject.name, after, tooLate: signal !== "SIGKILL" };
    if (!told.tooLate) {
      const again = await goOn(folder, subject);
      if (again !== "") return { ...told, fault: again };
    }
    const found = await hashes(folder);
    for (const [path, hash] of expected) {
      if (found.get(path) !== hash) {
        return { ...told, fault: `${path} ${found.has(path) ? "differs" : "is missing"}` };
      }
    }
    const more = [...found.keys()].filter((path) => !expected.has(path));
    return { ...told, fault: more.length > 0 ? `${more.join(", ")} is left` : "" };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** As a user goes on; what is wrong with that, or "". */
async function goOn(folder: string, subject: Subject): Promise<string> {
  const first = await ended(start(folder, subject, subject.resumes ? ["--resume"] : []));
  if (first.code === 0) return "";
  // Killed after it ended, or before there was anything to go on from.
  if (/it holds files already|it holds a dataset/.test(first.stderr)) return "";
  if (!subject.resumes || !/holds no run/.test(first.stderr)) return first.stderr.trim();
  const second = await ended(start(folder, subject));
  return second.code === 0 ? "" : second.stderr.trim();
}

function start(folder: string, { name, flags, out }: Subject, more: string[] = []): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", main, name, ...flags.split(" "), "--out", out, ...more],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

async function ended(process: Deno.ChildProcess) {
  const { code, signal, stderr } = await process.output();
  return { code, signal, stderr: new TextDecoder().decode(stderr) };
}

/** Figures that no two runs have alike: times, and speeds that follow from them. */
const TIMES =
  /"(seconds|secondsPerUser|tokensPerSecond|sampleSeconds|updateSeconds|\w*[sS]econds\w*|\w*PerSecond)": ?[\d.e+-]+/g;

/** SHA-256 of all files below a folder, times left out, by path. */
async function hashes(folder: string, prefix = ""): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(join(folder, prefix))) {
    const path = join(prefix, name);
    if (isDirectory) {
      for (const [inner, hash] of await hashes(folder, path)) found.set(inner, hash);
      continue;
    }
    const bytes = await Deno.readFile(join(folder, path));
    const content = /\.(jsonl?|html)$/.test(name)
      ? new TextDecoder().decode(bytes).replace(TIMES, "")
      : bytes;
    found.set(path, createHash("sha256").update(content).digest("hex"));
  }
  return found;
}

/** A log of a shop in which what follows what is not all chance. */
function makeLog(random: PhiloxStream): string {
  const lines = ["user,item,time,title"];
  for (let user = 0; user < USERS; user++) {
    let item = Math.floor(random.uniform() * ITEMS);
    for (let i = 0; i < EACH; i++) {
      lines.push(
        `u${user},i${item},${1_600_000_000 + user * 1000 + i * 60},Thing ${item % 7} of kind ${item}`,
      );
      item = random.uniform() < 0.7 ? (item + 1) % ITEMS : Math.floor(random.uniform() * ITEMS);
    }
  }
  return lines.join("\n") + "\n";
}

/** Kills and faults of each task. */
export function killTable(kills: readonly Kill[]): Table {
  const rows = SUBJECTS.map(({ name }) => {
    const own = kills.filter(({ task }) => task === name);
    return [
      name,
      own.filter(({ tooLate }) => !tooLate).length,
      own.filter(({ tooLate }) => tooLate).length,
      own.filter(({ fault }) => fault !== "").length,
    ];
  });
  return {
    columns: [{ name: "task" }, { name: "killed" }, { name: "had ended" }, {
      name: "with a fault after going on",
    }],
    rows,
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "200" },
      seed: { type: "string", default: "42" },
      tasks: { type: "string", default: "" },
      out: { type: "string", default: "" },
    },
  });
  const seed = Number(values.seed);
  const kills = await killTasks({
    kills: Number(values.kills),
    seed,
    names: values.tasks ? values.tasks.split(",") : undefined,
    log: (line) => console.error(line),
  });
  const table = killTable(kills);
  console.log(tableText(table));
  const faults = kills.filter(({ fault }) => fault !== "");
  for (const { task, after, fault } of faults) {
    console.log(`${task}, killed after ${after.toFixed(2)} s: ${fault}`);
  }
  await writeOut(values.out, "data", {
    kills: {
      command: [commandLine("bench/kill.ts")],
      ...await conditionsNow(),
      seeds: [seed],
      tables: [table],
      raw: kills,
    },
  });
  if (faults.length > 0) Deno.exit(1);
}
