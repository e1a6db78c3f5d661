/**
 * k-means of the SID methods against faiss, scikit-learn and k-means-constrained on this machine:
 *
 *     deno run -A bench/speed/sid_methods.ts [--python python3] [--repeats 5] [--shapes 10000x64,100000x384]
 *         [--constrained] [--out docs/benchmarks]
 *
 * Needs a Python with those packages. Processor time is what all threads worked, which other work on the machine changes
 * least. Fits are of 25 updates, the default of faiss. `--constrained` times fits whose clusters are of equal size instead, by
 * `rqkmeans-constrained` and `rqkmeans-balanced`: minutes for the package. With `--out` other rows stay on the page.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { writeNpy } from "../../base/npy.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { Device } from "../../kernels/gpu/device.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { kmeansPlusPlus } from "../../sid/kmeans/start.ts";
import { lloyd } from "../../sid/kmeans/lloyd.ts";
import { PointBlocks } from "../../sid/kmeans/point_blocks.ts";
import type { SidMethod } from "../../sid/method.ts";
import { rqKmeansBalanced } from "../../sid/methods/rq_kmeans_balanced.ts";
import { rqKmeansConstrained } from "../../sid/methods/rq_kmeans_constrained.ts";
import { median } from "../kernels/report.ts";
import { type Cost, costOf } from "./cost.ts";
import { commandLine, conditionsNow, writeRows } from "../pages/files.ts";
import { textTable } from "../pages/page.ts";

interface Timing {
  milliseconds: number[];
  processorMilliseconds: number[];
  /** Sum of squared distances, of fits. */
  cost: number | null;
}

const CODEWORDS = 256;
const ITERATIONS = 25;

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    repeats: { type: "string", default: "5" },
    shapes: { type: "string", default: "10000x64,100000x128,100000x384" },
    constrained: { type: "boolean", default: false },
    out: { type: "string", default: "" },
  },
});
const repeats = Number(flags.repeats);
const shapes = flags.shapes.split(",").map((text) => {
  const [rows, dim] = text.split("x").map(Number);
  if (rows >= CODEWORDS && dim >= 1) return { rows, dim };
  throw new UserError(
    `Cannot use the shape ${text}: expected ROWSxWIDTH with ${CODEWORDS} rows or more, e.g. 10000x64`,
  );
});

/** Overlapping groups, four times as many as codewords. */
function groups({ rows, dim }: { rows: number; dim: number }): Embeddings {
  const random = new PhiloxStream(1, "bench points");
  const centres = Float32Array.from({ length: 4 * CODEWORDS * dim }, () => random.normal());
  const data = new Float32Array(rows * dim);
  for (let row = 0; row < rows; row++) {
    const from = random.below(4 * CODEWORDS) * dim;
    for (let d = 0; d < dim; d++) data[row * dim + d] = centres[from + d] + 2 * random.uniform() - 1;
  }
  return { data, rows, dim };
}

async function timed(work: () => Promise<unknown>): Promise<Timing> {
  await work();
  const costs: Cost[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) costs.push((await costOf(work)).cost);
  return {
    milliseconds: costs.map(({ milliseconds }) => milliseconds),
    processorMilliseconds: costs.map(({ processorMilliseconds }) => processorMilliseconds),
    cost: null,
  };
}

async function peer(name: string, folder: string, times: number, iterations = 1): Promise<Timing> {
  const script = new URL("../python/sid_methods.py", import.meta.url).pathname;
  const args = [
    script,
    name,
    join(folder, "points.npy"),
    join(folder, "centres.npy"),
    `${times}`,
    `${iterations}`,
  ];
  const { success, stdout, stderr } = await new Deno.Command(flags.python, { args }).output();
  if (!success) {
    throw new Error(`${name} failed: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Every comparison, for the page. */
const rows: string[][] = [];

function print(work: string, ours: Timing, name: string, theirs: Timing): void {
  const [own, other] = [ours, theirs].map(({ milliseconds }) => median(milliseconds));
  const [worked, otherWorked] = [ours, theirs].map(({ processorMilliseconds }) =>
    median(processorMilliseconds)
  );
  const ratio = (own: number, other: number) => `${(other / own).toFixed(2)}${other < own ? " LOSS" : ""}`;
  const cost = ours.cost && theirs.cost ? (ours.cost / theirs.cost).toFixed(4) : "";
  const times = [own.toFixed(1), other.toFixed(1), ratio(own, other), ratio(worked, otherWorked)];
  const cells = [work, name, ...times, cost];
  rows.push(cells);
  console.log(
    `${work}: ours ${cells[2]} ms, ${name} ${cells[3]} ms, peer / ours ${cells[4]}, of processor time ${
      cells[5]
    }${cost && `, error ours / peer's ${cost}`}`,
  );
}

const device = await Device.open();
const folder = await Deno.makeTempDir();
console.log(`Adapter ${device.info.description || device.info.vendor}, medians of ${repeats}`);
try {
  for (const shape of flags.constrained ? [] : shapes) {
    const points = groups(shape);
    const { rows, dim } = points;
    const start = points.data.slice(0, CODEWORDS * dim);
    await Deno.writeFile(join(folder, "points.npy"), writeNpy([rows, dim], points.data));
    await Deno.writeFile(join(folder, "centres.npy"), writeNpy([CODEWORDS, dim], start));
    const size = `${rows} x ${dim}, K ${CODEWORDS}`;
    const blocks = new PointBlocks(device, rows, dim, CODEWORDS);
    const centres = device.upload(start, CODEWORDS, dim);
    blocks.write(points.data);
    const assign = await timed(() => blocks.assign(centres));
    for (const name of ["faiss_assign", "sklearn_assign"]) {
      print(`assignment ${size}`, assign, name, await peer(name, folder, repeats));
    }
    // Ours and scikit-learn's assign once more after the last update; faiss does not.
    for (const iterations of [1, ITERATIONS]) {
      const fit = await timed(() => lloyd(device, blocks, start, CODEWORDS, { iterations, tolerance: 0 }));
      const work = iterations === 1 ? "one update" : `fit, ${iterations} updates`;
      for (const name of ["faiss_lloyd", "sklearn_lloyd"]) {
        print(`${work}, ${size}`, fit, name, await peer(name, folder, repeats, iterations));
      }
    }
    device.destroy(centres);
    blocks.destroy();
  }
  for (const shape of flags.constrained ? shapes : []) {
    const points = groups(shape);
    const { rows, dim } = points;
    await Deno.writeFile(join(folder, "points.npy"), writeNpy([rows, dim], points.data));
    const start = await kmeansPlusPlus(device, points.data, points, CODEWORDS, 42, 0);
    await Deno.writeFile(join(folder, "centres.npy"), writeNpy([CODEWORDS, dim], start));
    const theirs = await peer("constrained_fit", folder, 1);
    const level = { levels: 1, codebookSize: CODEWORDS, starts: 1, seed: 42 };
    for (const method of [rqKmeansConstrained, rqKmeansBalanced] as SidMethod<unknown>[]) {
      const config = method.Config.parse(level);
      const { result, cost } = await costOf(() =>
        method.fit(device, { embeddings: points }, config, () => {})
      );
      const ours = {
        milliseconds: [cost.milliseconds],
        processorMilliseconds: [cost.processorMilliseconds],
        cost: result.errors[0] * rows * dim,
      };
      print(
        `${method.name}, a level of ${rows} x ${dim}, K ${CODEWORDS}`,
        ours,
        "k-means-constrained",
        theirs,
      );
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
await writeRows(flags.out, "semantic_ids", "clustering-speed", {
  command: [commandLine("bench/speed/sid_methods.ts")],
  ...await conditionsNow(device.info.description || device.info.vendor),
  tables: [
    textTable([
      "row",
      "peer",
      "ours, ms",
      "peer's, ms",
      "peer / ours",
      "of processor time",
      "error, ours / peer's",
    ], rows),
  ],
}, 2);
