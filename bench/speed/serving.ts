/**
 * How fast `genrec serve` answers over loopback, with autocannon as the client on the same cores: one user after the
 * other, as many as come at once, and the times of answers at half of that, where each comes at a time of its own, or those
 * of a second at once. Every answer is checked: items that there
 * are, none twice, as many as were asked for. Beside it the same run asked one user after the other without a server.
 *
 *     deno run -A bench/speed/serving.ts --run DECODER [--run RANKER] [--data DIR] [--seconds 20]
 *         [--out docs/benchmarks]
 *
 * The histories are those of the test split, each asked once before any is asked again. What stays after many requests is
 * seen by long_serving.ts.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { Device } from "../../kernels/gpu/device.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { sendArrivals, sendTraffic, type Traffic } from "./traffic.ts";
import { startServer } from "./server_process.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string", multiple: true, default: [] },
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    seconds: { type: "string", default: "20" },
    connections: { type: "string", default: "32" },
    out: { type: "string", default: "" },
  },
});
const TOP = 10, BEAMS = 50;
const seconds = Number(values.seconds), connections = Number(values.connections);
const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

interface Measured {
  run: string;
  kind: string;
  /** Users a second without a server. */
  oneByOne: number;
  alone: Traffic;
  together: Traffic;
  half: Traffic;
  /** The same in bursts, one a second. */
  bursts: Traffic;
  /** Bytes before the first request and after each load. */
  memory: number[];
}

/** Users a second where each waits for the one before, in this process. */
async function oneByOne(run: string, histories: readonly (readonly number[])[]): Promise<[string, number]> {
  const device = await Device.open();
  const recommender = await openRun(run, { data: values.data, device });
  const options = { k: TOP, beams: BEAMS };
  await recommender.recommend([{ history: histories[0] }], options);
  const start = performance.now();
  let users = 0;
  while (performance.now() - start < 1000 * seconds) {
    await recommender.recommend([{ history: histories[users++ % histories.length] }], options);
  }
  const pace = users / ((performance.now() - start) / 1000);
  recommender.destroy();
  return [recommender.provenance.kind, pace];
}

async function measure(run: string): Promise<Measured> {
  const { dataset } = await openRun(run, { data: values.data });
  const histories = dataset.samples.test.map(({ history }) => history);
  console.error(`${run}: one by one`);
  const [kind, pace] = await oneByOne(run, histories);
  await using server = await startServer(["--run", run, "--data", values.data, "--beams", String(BEAMS)]);
  const request = { url: server.url, histories, top: TOP, items: dataset.items.length };
  const memory = [await server.memory()];
  const loaded = async (name: string, how: Parameters<typeof sendTraffic>[1]) => {
    console.error(`${run}: ${name}`);
    const done = await sendTraffic(request, how);
    memory.push(await server.memory());
    return done;
  };
  await loaded("warm up", { connections: 16, seconds: 5 });
  const alone = await loaded("alone", { connections: 1, seconds });
  const together = await loaded("together", { connections, seconds });
  const rate = together.usersPerSecond / 2;
  console.error(`${run}: half load`);
  const half = await sendArrivals(request, { seconds, rate });
  memory.push(await server.memory());
  const bursts = await loaded("half load in bursts", { connections, seconds, rate });
  return { run: basename(run), kind, oneByOne: pace, alone, together, half, bursts, memory };
}

if (values.run.length === 0) {
  console.error("Name a trained run with --run");
  Deno.exit(2);
}
const all: Measured[] = [];
for (const run of values.run) all.push(await measure(run));
const table = textTable(
  [
    "run",
    "users/s by `recommend`, one by one",
    "users/s served, one by one",
    "users/s served, 32 at once",
    "p50 and p99 at half of that",
    "the same in a burst a second",
    "answers",
    "wrong items",
    "failed",
    "memory before, after",
  ],
  all.map(({ run, kind, oneByOne, alone, together, half, bursts, memory }) => {
    const loads = [alone, together, half, bursts];
    const total = (of: (one: Traffic) => number) => loads.reduce((sum, one) => sum + of(one), 0);
    return [
      `${run}, ${kind}`,
      oneByOne.toFixed(1),
      alone.usersPerSecond.toFixed(1),
      together.usersPerSecond.toFixed(1),
      `${half.p50.toFixed(0)} ms, ${half.p99.toFixed(0)} ms`,
      `${bursts.p50.toFixed(0)} ms, ${bursts.p99.toFixed(0)} ms`,
      String(total(({ items }) => items)),
      String(total(({ wrongItems }) => wrongItems)),
      String(total(({ failed }) => failed)),
      `${mebibytes(memory[1])}, ${mebibytes(memory.at(-1)!)}`,
    ];
  }),
);
const conditions = await conditionsNow(
  (await Device.open()).info.description,
);
console.log(tableText(table));
await writeOut(values.out, "industrial", {
  serving: { command: [commandLine("bench/speed/serving.ts")], ...conditions, tables: [table], raw: all },
});
Deno.exit(
  all.every(({ half, bursts, together, alone }) =>
      [alone, together, half, bursts].every(({ wrongItems, failed }) => wrongItems + failed === 0)
    )
    ? 0
    : 1,
);
