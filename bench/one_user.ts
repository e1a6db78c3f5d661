/**
 * One user of a warm decoder: the time of a list of ten with 50 beams, beside what its products take at the rate that
 * products of 1024^3 have here, which is the floor of any search that computes them. Random weights, 0.86 M parameters,
 * prompts of MiniOneRec's Industrial test split where GENREC_DATA holds it, else random ones. Prints Markdown:
 *
 *     deno run -A bench/one_user.ts [--users 40] [--items 0] [--out docs/benchmarks]
 *
 * Clock and processor time are medians over users; the latter is of all threads, so on two cores it may be longer.
 */
import { parseArgs } from "node:util";
import { BeamSearch } from "../decode/beam_search.ts";
import { DeviceTrie } from "../decode/device_trie.ts";
import { Device } from "../kernels/gpu/device.ts";
import { buildTrie } from "../sid/trie.ts";
import { countDispatches } from "./gpu/count_work.ts";
import { costPerRun } from "./kernels/contender.ts";
import { oursOn } from "./kernels/ours.ts";
import { median } from "./kernels/report.ts";
import { type BenchWorkload, flops } from "./kernels/workload.ts";
import { commandLine, conditionsNow, writeRows } from "./pages/files.ts";
import { tableText, textTable } from "./pages/page.ts";
import { randomInputs } from "./peers/generate_inputs.ts";
import { type Cost, costOf } from "./speed/cost.ts";

const GOAL = 30;
const BEAMS = 50, TOP = 10;
const WARM = 8;
const PRODUCT: BenchWorkload = { kind: "matmul", m: 1024, k: 1024, n: 1024 };
const REPEATS = 5, BUDGET = 400;

const { values } = parseArgs({
  options: {
    users: { type: "string", default: "40" },
    items: { type: "string", default: "0" },
    out: { type: "string", default: "" },
  },
});
const data = `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`;
const device = await Device.open();
const folder = await Deno.makeTempDir();
const { decoder, prompts, samples } = await randomInputs(device, folder, data, Number(values.items));
await Deno.remove(folder, { recursive: true });
const trie = new DeviceTrie(device, buildTrie(prompts.itemTokens));
const search = new BeamSearch(device, decoder, trie, { beams: BEAMS, normalisation: "vocab" });
const users = samples.slice(0, Number(values.users)).map(({ history }) => prompts.prompt(history));
const ask = (prompt: Uint32Array) => search.run([prompt], TOP);
for (const prompt of users.slice(0, WARM)) await ask(prompt);

const product = await oursOn(device).open(PRODUCT);
await product.outputs();
const rates: Cost[] = [];
for (let i = 0; i < REPEATS; i++) {
  rates.push(await costPerRun((times) => product.run(times), { budget: BUDGET }));
}
const costs: Cost[] = [];
for (const prompt of users) costs.push((await costOf(() => ask(prompt))).cost);

const dispatches = countDispatches(device);
await ask(users[0]);
const work = dispatches.reduce((sum, { flops }) => sum + flops, 0);

const mid = (costs: Cost[], of: keyof Cost) => median(costs.map((cost) => cost[of]));
const gigaflops = (of: keyof Cost) => flops(PRODUCT) / mid(rates, of) / 1e6;
const floor = (of: keyof Cost) => work / gigaflops(of) / 1e6;
const both = (text: (of: keyof Cost) => string) => [text("milliseconds"), text("processorMilliseconds")];
const tokens = (users.reduce((sum, { length }) => sum + length, 0) / users.length).toFixed(0);
const table = textTable(
  [
    "prompts",
    "by the clock, ms",
    "processor time, ms",
    "wanted, ms",
    "products, MFLOP",
    "at GF/s",
    "floor, ms",
  ],
  [[
    `${tokens} tokens, ${users.length} users one by one`,
    ...both((of) => mid(costs, of).toFixed(1)),
    `${GOAL}`,
    (work / 1e6).toFixed(0),
    both((of) => gigaflops(of).toFixed(1)).join(", of a core "),
    both((of) => floor(of).toFixed(1)).join(", of a core "),
  ]],
);
console.log(`${dispatches.length} dispatches a user\n\n${tableText(table)}`);
await writeRows(values.out, "beside_pytorch", "one-user", {
  command: [commandLine("bench/one_user.ts")],
  ...await conditionsNow(device.info.description || device.info.device),
  tables: [table],
});
Deno.exit(0); // without destroying the device, which may crash with work in flight
