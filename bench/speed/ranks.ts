// Seconds a step of `sft` takes in 1, 2 and 4 processes of this machine, as `genrec plan --measured` reads them.
//   deno run -A bench/speed/ranks.ts --out ranks.json [--launcher mpirun.mpich]
import { parseArgs } from "node:util";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatIndex } from "../../data/formats/index_file.ts";
import { syntheticDataset } from "../../data/synthetic/shop.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import type { MeasuredStep } from "../../train/ranks/fit.ts";

const options = {
  out: { type: "string" },
  launcher: { type: "string", default: "mpirun.mpich" },
} as const;
const { values: { out, launcher } } = parseArgs({ options });
if (!out) throw new Error("--out names the file to write");
const main = join(fileURLToPath(new URL("../..", import.meta.url)), "tasks/main.ts");
const MICRO_BATCHES = 4;
/** Steps between lines; those of the first line compile. */
const LOGGED = 4;

const folder = await Deno.makeTempDir();
const sids = syntheticDataset().items.map((_, i) => [`<a_${i % 32}>`, `<b_${i >> 5}>`]);
await Deno.writeTextFile(join(folder, "index.json"), formatIndex(sids));
const steps: MeasuredStep[] = [];
for (const width of [64, 256]) {
  for (const ranks of [1, 2, 4]) steps.push(await measure(width, ranks));
}
await Deno.writeTextFile(out, JSON.stringify({ cores: cpus().length, steps }, null, 2) + "\n");
await Deno.remove(folder, { recursive: true });

async function measure(width: number, ranks: number): Promise<MeasuredStep> {
  const run = join(folder, `${width}-${ranks}`);
  const flags = `--data synthetic --sids ${join(folder, "index.json")} --out ${run} --hidden-size ${width} ` +
    `--intermediate-size ${
      2 * width
    } --num-hidden-layers 2 --num-attention-heads 4 --num-key-value-heads 4 ` +
    `--max-steps ${
      6 * LOGGED
    } --logging-steps ${LOGGED} --eval-samples 0 --tokens-per-batch 512 --batch-size 0 ` +
    `--gradient-accumulation-steps ${MICRO_BATCHES}`;
  const { code, stdout, stderr } = await new Deno.Command(launcher, {
    args: ["-n", `${ranks}`, Deno.execPath(), "run", "-A", "--no-check", main, "sft", ...flags.split(" ")],
    // A process computes with one thread, so that as many as there are cores do not share them.
    env: { LP_NUM_THREADS: "1", OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  const lines = (await new RunDirectory(run).logged()).filter(({ loss }) => loss !== undefined);
  // The fastest part: others may use the machine too.
  const seconds =
    Math.min(...lines.slice(1).map((line, i) => Number(line.seconds) - Number(lines[i].seconds))) / LOGGED;
  const [, count, unit] = text.match(/^Model: ([\d.]+)([KM]?) parameters/m)!;
  const parameters = Math.round(Number(count) * { "": 1, K: 1e3, M: 1e6 }[unit]!);
  console.log(`width ${width}, ${ranks} ranks: ${seconds.toFixed(3)} s a step`);
  return { model: `width ${width}`, parameters, ranks, microBatches: MICRO_BATCHES, seconds };
}
