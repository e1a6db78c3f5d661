/**
 * Whether a long training holds its memory: many steps of the smallest model, through the whole of `genrec sft`, with the
 * resident set of its process looked at all the while.
 *
 *     deno run -A bench/steady.ts --data DIR [--steps 50000] [--seconds 0] [--out docs/benchmarks]
 *
 * The dataset needs SIDs. `--seconds` ends it earlier; 0: not. Linux alone tells the resident set, and which of it are pages
 * of files, such as programs, that the system takes and gives as it likes.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../base/user_error.ts";
import { sourceFolder } from "./commits/checkout.ts";
import { median } from "./kernels/report.ts";
import { commandLine, conditionsNow, writeOut } from "./pages/files.ts";
import { tableText, textTable } from "./pages/page.ts";
import { formatBytes } from "../train/run/estimate.ts";

/** The resident set at one moment. */
export interface ResidentSample {
  step: number;
  bytes: number;
  /** Of them, those that are of no file. */
  own: number;
}

/** Median bytes in each tenth of the steps; the first one compiles and fills the pools. */
export function tenthsOf(samples: readonly ResidentSample[]): { bytes: number; own: number }[] {
  const steps = samples.at(-1)!.step;
  return Array.from({ length: 10 }, (_, tenth) => {
    const part = samples.filter(({ step }) => step > tenth * steps / 10 && step <= (tenth + 1) * steps / 10);
    return { bytes: median(part.map(({ bytes }) => bytes)), own: median(part.map(({ own }) => own)) };
  });
}

const EVERY = 500;
const TINY = "--hidden-size 16 --intermediate-size 16 --num-hidden-layers 1 --num-attention-heads 2 " +
  "--num-key-value-heads 2 --tokens-per-batch 256 --eval-samples 0 --logging-steps 20 --save-steps 5000";

async function watch(data: string, steps: number, seconds: number): Promise<ResidentSample[]> {
  const folder = await Deno.makeTempDir({ prefix: "genrec-steady-" });
  const out = join(folder, "run");
  const main = join(sourceFolder()!, "tasks", "main.ts");
  // An epoch has a step at least, so that as many of them never end the training first.
  const length = ["--max-steps", `${steps}`, "--num-train-epochs", `${steps}`];
  const flags = ["--data", data, "--out", out, ...length, ...TINY.split(" ")];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, "sft", ...flags],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  let isOver = false;
  child.status.then(() => isOver = true);
  const samples: ResidentSample[] = [];
  const began = performance.now();
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    try {
      const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
      const [bytes, own] = ["VmRSS", "RssAnon"].map((name) =>
        1024 * Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(status)?.[1])
      );
      const last = (await Deno.readTextFile(join(out, "metrics.jsonl"))).trim().split("\n").at(-1)!;
      if (own > 0) samples.push({ step: JSON.parse(last).step, bytes, own });
    } catch (error) {
      // It has no line yet, or is writing one, or has just ended.
      if (!(error instanceof Deno.errors.NotFound || error instanceof SyntaxError)) throw error;
    }
    if (seconds > 0 && performance.now() - began > 1000 * seconds && !isOver) {
      child.kill("SIGTERM");
      await child.status;
    }
  }
  await Deno.remove(folder, { recursive: true });
  if (samples.length > 0) return samples;
  throw new UserError(
    `Cannot watch the training: it ended at once: ${(await said).trim().split("\n").at(-1)}`,
  );
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: "" },
      steps: { type: "string", default: "50000" },
      seconds: { type: "string", default: "0" },
      out: { type: "string", default: "" },
    },
  });
  const samples = await watch(values.data, Number(values.steps), Number(values.seconds));
  const table = textTable(
    ["steps", "resident", "of no file"],
    tenthsOf(samples).map(({ bytes, own }, tenth) => {
      const last = Math.round(samples.at(-1)!.step * (tenth + 1) / 10);
      return [`up to ${last}`, formatBytes(bytes), formatBytes(own)];
    }),
  );
  console.log(tableText(table));
  await writeOut(values.out, "kernels", {
    steady: {
      command: [commandLine("bench/steady.ts")],
      ...await conditionsNow(),
      tables: [table],
    },
  });
}
