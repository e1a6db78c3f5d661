/**
 * What a ranker adds to the time of its decoder: both asked for the same users in turns, alone and several at once. The
 * decoder lists ten items, as it does where it answers by itself, and as many as the ranker has it list.
 *
 *     deno run -A bench/ranker_time.ts --run RANKER [--data DIR] [--rounds 15] [--out docs/benchmarks]
 *
 * Times are medians of the rounds, a user, those of what is added of the differences within a round. Processor time is that
 * of all threads. Users are those of the test split, each asked once.
 */
import { parseArgs } from "node:util";
import { UserError } from "../base/user_error.ts";
import type { Recommender } from "../eval/recommender.ts";
import { Device } from "../kernels/gpu/device.ts";
import { readRunFolder } from "../train/runs/run_folder.ts";
import { SOURCES_FOLDER } from "../train/rank/saved.ts";
import { openRun } from "../train/runs/open_run.ts";
import { median } from "./kernels/report.ts";
import { commandLine, conditionsNow, writeOut } from "./pages/files.ts";
import { tableText, textTable } from "./pages/page.ts";
import { type Cost, costOf } from "./speed/cost.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string", default: "" },
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    rounds: { type: "string", default: "15" },
    out: { type: "string", default: "" },
  },
});
const TOP = 10, BEAMS = 50, WARM = 2;
const AT_ONCE = [1, 32];

const device = await Device.open();
const open = (path: string) => openRun(path, { data: values.data, device });
const { config, path } = await readRunFolder(values.run);
const sources = Array.isArray(config.runs)
  ? config.runs.map((_, i) => `${path}/${SOURCES_FOLDER}/${i + 1}`)
  : [];
const opened = await Promise.all(sources.map(open));
const decoder = opened.find(({ search }) => search);
if (!decoder) {
  throw new UserError(`Cannot time ${values.run}: expected a ranker over a decoder, which it is not`);
}
const ranker = await open(values.run);
const { listLength } = config as { listLength: number };
/** Who is asked for how many, the one that others are compared with last. */
const asked: [string, Recommender, number][] = [
  [`ranker, ${TOP} items`, ranker, TOP],
  [`its decoder, ${TOP} items`, decoder, TOP],
  [`its decoder, ${listLength} items`, decoder, listLength],
];

const lines: string[][] = [];
for (const users of AT_ONCE) {
  const costs = asked.map((): Cost[] => []);
  for (let round = -WARM; round < Number(values.rounds); round++) {
    const first = (round + WARM) * users;
    const requests = ranker.dataset.samples.test.slice(first, first + users).map(({ history }) => ({
      history,
    }));
    for (const [who, [, run, k]] of asked.entries()) {
      const { cost } = await costOf(() => run.recommend(requests, { k, beams: BEAMS }));
      if (round >= 0) costs[who].push(cost);
    }
  }
  for (const [who, [name]] of asked.entries()) {
    const text = (of: keyof Cost) => [
      (median(costs[who].map((cost) => cost[of])) / users).toFixed(1),
      who === 0
        ? ""
        : (median(costs[0].map((cost, round) => cost[of] - costs[who][round][of])) / users).toFixed(1),
    ];
    lines.push([String(users), name, ...text("milliseconds"), ...text("processorMilliseconds")]);
  }
}
const table = textTable(
  ["users at once", "asked", "ms a user", "the ranker adds, ms", "processor time, ms", "the ranker adds"],
  lines,
);
console.log(tableText(table));
await writeOut(values.out, "industrial", {
  "ranker-time": {
    command: [commandLine("bench/ranker_time.ts")],
    ...await conditionsNow(),
    tables: [table],
  },
});
Deno.exit(0); // without destroying the device, which may crash with work in flight
