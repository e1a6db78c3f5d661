/**
 * Whether a long training holds its memory: many steps of the smallest model, through the whole of `genrec sft`, with the
 * resident set of its process looked at all the while.
 *
 *     deno run -A bench/steady.ts --data DIR [--steps 50000] [--seconds 0]
 *
 * The dataset needs SIDs. `--seconds` ends it earlier; 0: not. Linux alone tells the resident set.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../base/user_error.ts";
import { sourceFolder } from "./commits/checkout.ts";
import { median } from "./kernels/report.ts";

/** The resident set at one moment. */
export interface ResidentSample {
  step: number;
  bytes: number;
}

/** Median bytes of the second and of the last tenth of the steps: the first one compiles and fills the pools. */
export function growthOf(samples: readonly ResidentSample[]): { early: number; late: number } {
  const steps = samples.at(-1)!.step;
  const part = (low: number, high: number) =>
    samples.filter(({ step }) => step >= low * steps && step <= high * steps).map(({ bytes }) => bytes);
  return { early: median(part(0.1, 0.2)), late: median(part(0.9, 1)) };
}

const EVERY = 500;
const TINY = "--hidden-size 16 --intermediate-size 16 --num-hidden-layers 1 --num-attention-heads 2 " +
  "--num-key-value-heads 2 --tokens-per-batch 256 --eval-samples 0 --logging-steps 20 --save-steps 5000";

async function watch(data: string, steps: number, seconds: number): Promise<ResidentSample[]> {
  const folder = await Deno.makeTempDir({ prefix: "genrec-steady-" });
  const out = join(folder, "run");
  const main = join(sourceFolder()!, "tasks", "main.ts");
  const flags = ["--data", data, "--out", out, "--max-steps", `${steps}`, ...TINY.split(" ")];
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
      const resident = /VmRSS:\s*(\d+) kB/.exec(await Deno.readTextFile(`/proc/${child.pid}/status`))?.[1];
      const last = (await Deno.readTextFile(join(out, "metrics.jsonl"))).trim().split("\n").at(-1)!;
      if (resident) samples.push({ step: JSON.parse(last).step, bytes: Number(resident) * 1024 });
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
    },
  });
  const samples = await watch(values.data, Number(values.steps), Number(values.seconds));
  const { early, late } = growthOf(samples);
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const growth = `${((late / early - 1) * 100).toFixed(2)} %`;
  console.log(`${samples.at(-1)!.step} steps, ${samples.length} looks`);
  console.log(
    `resident: ${mebibytes(early)} in the second tenth of them, ${mebibytes(late)} in the last, ${growth}`,
  );
}
