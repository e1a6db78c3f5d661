/**
 * A training step of T5 over SIDs beside Hugging Face transformers on the same CPU: forward, backward, clip, AdamW on
 * train samples, with a code table for each level. Ours is the step of `genrec baseline --model tiger`, samples packed
 * end to end; the peer (peers/t5_step.py) pads histories to the longest as ETEGRec does and has torch's default threads.
 * The losses before and after the first update are checked to be equal without dropout; then the two take turns with it. Prints Markdown:
 *
 *     deno run -A bench/speed/encoder_decoder.ts [--data DIR] [--sizes etegrec,small] [--samples 128] [--turns 3]
 *         [--steps 4] [--python python3] [--out docs/benchmarks]
 */
import { parseArgs } from "node:util";
import type { Sample } from "../../data/dataset.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { TermLog } from "../../sid/quantizer/term_log.ts";
import { buildTrie } from "../../sid/trie.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { pairGroups } from "../../train/encoder_decoder/pair_data.ts";
import { PairStep } from "../../train/encoder_decoder/pair_step.ts";
import { type Cost, costOf, type PeerCost } from "./cost.ts";
import { longHistories, randomEncoderDecoder } from "./encoder_decoder_inputs.ts";
import { openPython, PYTHON } from "../peers/python_process.ts";
import { ratioOfTimes, ratioText, spread } from "../kernels/report.ts";
import { commandLine, conditionsNow, writeRows } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { OPTIMIZER } from "../kernels/workload.ts";
import { writeModel } from "../peers/write_model.ts";

const { values } = parseArgs({
  options: {
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/letter-instruments`,
    },
    sizes: { type: "string", default: "etegrec,small" },
    samples: { type: "string", default: "128" },
    turns: { type: "string", default: "3" },
    steps: { type: "string", default: "4" },
    python: { type: "string", default: PYTHON },
    out: { type: "string", default: "" },
  },
});
const SEED = 42;
const INITIALIZER_RANGE = 0.05;
const MOST_DIFFERENCE = 1e-4;
// Before any update and after one; later losses drift apart, since AdamW takes whole steps along gradients near 0.
const CHECKED_STEPS = 2;

interface Answer extends PeerCost {
  losses: number[];
  /** Of the padded batch. */
  rows: { encoder: number; decoder: number };
}

const { name, tokens, samples } = await longHistories(values.data);
const order = shuffledOrder(samples.train.length, SEED, 0).subarray(0, Number(values.samples));
const batch = Array.from(order, (i) => samples.train[i]);
const groups = pairGroups(batch.map(wholeGroup), tokens.itemTokens);
const items = batch.reduce((sum, { history }) => sum + history.length, 0);
const stepsPerTurn = Number(values.steps);

const HEADINGS = [
  "model",
  "rows of encoder + decoder, genrec / transformers",
  "genrec, ms",
  "transformers, ms",
  "theirs / ours",
  "processor time, theirs / ours",
  "losses within",
  "memory, device / process",
];
const lines: string[][] = [];
let machine = "";
for (const size of values.sizes.split(",")) {
  const device = await Device.open();
  const model = randomEncoderDecoder(device, size, tokens, INITIALIZER_RANGE);
  const folder = await Deno.makeTempDir();
  await writeModel(folder, model.config, model.parameters);
  const levels = (item: number) => [...tokens.itemTokens[item]];
  const histories = batch.map(({ history }) => history.map(levels));
  const targets = batch.map(({ target }) => levels(target));
  await Deno.writeTextFile(
    `${folder}/step.json`,
    JSON.stringify({ optimizer: OPTIMIZER, histories, targets }),
  );
  const peer = openPython<Answer>(values.python, "t5_step.py", folder);
  const ask = (steps: number, dropout: boolean) => peer.ask(JSON.stringify({ steps, dropout }));

  const { learningRate, ...settings } = OPTIMIZER;
  const optimizer = new Optimizer(model.parameters, { ...settings, emaDecay: 0 });
  const parts = {
    model,
    optimizer,
    capacity: { items, pairs: batch.length },
    tokensPerItem: tokens.longest,
    microBatches: 1,
  };
  const trie = new DeviceTrie(device, buildTrie(tokens.itemTokens));
  const log = new TermLog(device, 1000);
  let done = 0;
  const ourSteps = async (step: PairStep, count: number): Promise<number[]> => {
    for (let i = 0; i < count; i++) await step.run(done++, [groups], trie, learningRate, log);
    return (await log.read()).get("next item")!;
  };
  const config = { dropout: 0, labelSmoothing: 0, trieLossWeight: 0, seed: SEED };
  const plain = new PairStep(parts, config);
  const ourLosses = await ourSteps(plain, CHECKED_STEPS);
  plain.destroy();
  const { losses, rows, threads } = await ask(CHECKED_STEPS, false);
  await Deno.remove(folder, { recursive: true }); // read by now
  const difference = Math.max(...losses.map((loss, i) => Math.abs(loss - ourLosses[i])));
  if (!(difference <= MOST_DIFFERENCE)) {
    throw new Error(`Losses are ${ourLosses} and ${losses}: expected them within ${MOST_DIFFERENCE}`);
  }

  const step = new PairStep(parts, { ...config, dropout: model.config.dropout_rate });
  const systems: { steps(count: number): Promise<Cost>; costs: Cost[] }[] = [
    { steps: async (count) => (await costOf(() => ourSteps(step, count))).cost, costs: [] },
    { steps: (count) => ask(count, true), costs: [] },
  ];
  for (const { steps } of systems) await steps(1);
  for (let turn = 0; turn < Number(values.turns); turn++) {
    for (const { steps, costs } of systems) costs.push(await steps(stepsPerTurn));
  }
  const { residentBytes } = await ask(1, true);
  await peer.close();
  const [own, other] = systems.map(({ costs }) => ({
    times: costs.map(({ milliseconds }) => milliseconds / stepsPerTurn),
    processor: costs.map(({ processorMilliseconds }) => processorMilliseconds / stepsPerTurn),
  }));
  const ownRows = { encoder: items * tokens.longest, decoder: batch.length * tokens.longest };
  lines.push([
    size,
    [ownRows, rows].map(({ encoder, decoder }) => `${encoder} + ${decoder}`).join(" / "),
    ...[own, other].map(({ times }) => spread(times, (time) => time.toFixed(0))),
    ratioText(ratioOfTimes(own.times, other.times)),
    ratioText(ratioOfTimes(own.processor, other.processor)),
    difference.toExponential(0),
    `${formatBytes(device.memory.peak)} / ${formatBytes(residentBytes)}`,
  ]);
  const { description, device: chip } = device.info;
  machine = `${description || chip}; torch with ${threads} threads`;
}
console.log(`${batch.length} samples of ${name}; ${machine}\n`);
const table = textTable(HEADINGS, lines);
console.log(tableText(table));
await writeRows(values.out, "beside_pytorch", "t5-step", {
  command: [commandLine("bench/speed/encoder_decoder.ts")],
  ...await conditionsNow(machine),
  seeds: [SEED],
  tables: [table],
});
Deno.exit(0); // without destroying the devices, which may crash with work in flight

function wholeGroup({ history, target }: Sample) {
  return { history, targets: [{ end: history.length, item: target }] };
}
