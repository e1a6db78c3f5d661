/**
 * An epoch of SASRec with full softmax beside PyTorch on the same CPU: forward, backward and update on every target of
 * the train histories, validation left out. Ours is that of `genrec baseline --model sasrec`, histories packed end to
 * end. The peer is peers/sasrec_epoch.py, the same network in its authors' layout: batches of 128 sequences, padded to
 * the longest history. Both start from the same weights, and the mean loss of a target over the epoch, without dropout
 * and updates, is checked to be equal. They take turns; all use torch's default threads. Prints Markdown:
 *
 *     deno run -A bench/speed/sasrec.ts [--data DIR] [--turns 2] [--tokens 256] [--python python3] [--recbole PYTHON]
 *         [--out docs/benchmarks]
 *
 * `--tokens` are the packed items of our steps, several separated by commas. `--recbole` is an interpreter with RecBole
 * (peers/recbole_epoch.py): its SASRec is another one (norms after the blocks, GELU, an output projection) and its epoch
 * a padded row for each target, in batches of 2,048, which is its default.
 */
import { parseArgs } from "node:util";
import { loadDataset } from "../../data/formats/load.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { Sasrec, SasrecShape } from "../../models/items/sasrec.ts";
import { AttentionSettings, itemAttentionShape } from "../../train/baselines/attention_settings.ts";
import { itemSequences } from "../../train/run/item_sequences.ts";
import { ItemStep } from "../../train/baselines/item_step.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { dealStep } from "../../train/ranks/dealt_step.ts";
import { LossLog } from "../../train/run/loss_log.ts";
import { ALONE } from "../../base/parallel/world.ts";
import { PackedData } from "../../train/run/packed_data.ts";
import { type Cost, costOf, type PeerCost } from "./cost.ts";
import { openPython, PYTHON } from "../peers/python_process.ts";
import { ratioOfTimes, ratioText, spread } from "../kernels/report.ts";
import { commandLine, conditionsNow, writeRows } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { OPTIMIZER } from "../kernels/workload.ts";

const { values } = parseArgs({
  options: {
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    turns: { type: "string", default: "2" },
    tokens: { type: "string", default: "256" },
    python: { type: "string", default: PYTHON },
    recbole: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});
const MOST_DIFFERENCE = 1e-4;
const BATCH = 128;
const RECBOLE_BATCH = 2048;

interface Answer extends PeerCost {
  /** Mean of a target. */
  loss: number;
  steps: number;
}

interface System {
  name: string;
  epoch(learn: boolean): Promise<Answer>;
  costs: Cost[];
}

const config = AttentionSettings.parse({});
const dataset = await loadDataset(values.data);
const source = itemSequences(dataset, config.maxLength, "all");
const shape = SasrecShape.parse({
  model_type: "sasrec",
  ...itemAttentionShape(config, dataset.items.length),
});
const fresh = (device: Device) => {
  const model = new Sasrec(device, shape);
  model.initialize(config.seed, config.initializerRange);
  return model;
};

const device = await Device.open();
const folder = await Deno.makeTempDir();
const tensors = new Map();
for await (const { name, ...tensor } of fresh(device).parameters.readTensors()) tensors.set(name, tensor);
await Deno.writeFile(`${folder}/model.safetensors`, writeSafetensors(tensors));
const sequences = Array.from({ length: source.count }, (_, i) => {
  const { tokens, targets } = source.make(i);
  return [...tokens, targets.at(-1)!.token];
});
const { dropout, learningRate } = config;
const work = { shape, sequences, dropout, learningRate, batch: BATCH, recboleBatch: RECBOLE_BATCH };
await Deno.writeTextFile(`${folder}/epoch.json`, JSON.stringify(work));
const authors = openPython<Answer>(values.python, "sasrec_epoch.py", folder);
const recbole = values.recbole ? openPython<Answer>(values.recbole, "recbole_epoch.py", folder) : undefined;

const systems: System[] = [
  ...values.tokens.split(",").map((tokens) => packed(Number(tokens))),
  {
    name: `PyTorch, ${BATCH} padded sequences a step`,
    costs: [],
    epoch: (learn) => authors.ask(learn ? "train" : "check"),
  },
];
const checked: Answer[] = [];
for (const { epoch } of systems) checked.push(await epoch(false));
const losses = checked.map(({ loss }) => loss);
const difference = Math.max(...losses.map((loss) => Math.abs(loss - losses.at(-1)!)));
if (!(difference <= MOST_DIFFERENCE)) {
  throw new Error(`Losses of an epoch are ${losses}: expected them within ${MOST_DIFFERENCE}`);
}
if (recbole) {
  systems.push({
    name: `RecBole, ${RECBOLE_BATCH} padded rows a step`,
    costs: [],
    epoch: () => recbole.ask(""),
  });
}
const last: Answer[] = [];
for (let turn = 0; turn < Number(values.turns); turn++) {
  for (const [i, { epoch, costs }] of systems.entries()) {
    last[i] = await epoch(true);
    costs.push(last[i]);
  }
}
await authors.close();
await recbole?.close();
await Deno.remove(folder, { recursive: true });

const { description, device: chip } = device.info;
const targets = sequences.reduce((sum, { length }) => sum + length - 1, 0);
console.log(
  `${dataset.name}: ${targets} targets in ${sequences.length} sequences, ${dataset.items.length} items; losses of the ` +
    `epoch within ${difference.toExponential(0)}; ${description || chip}; torch with ${
      last.at(-1)!.threads
    } threads\n`,
);
const own = values.tokens.split(",").length;
const seconds = ({ costs }: System) =>
  spread(costs.map(({ milliseconds }) => milliseconds / 1000), (time) => time.toFixed(1));
const lines = systems.slice(0, own).flatMap((ours, i) =>
  systems.slice(own).map((peer, nth) => {
    const j = own + nth;
    const ratio = (key: keyof Cost) =>
      ratioText(ratioOfTimes(ours.costs.map((cost) => cost[key]), peer.costs.map((cost) => cost[key])));
    return [
      ours.name,
      peer.name,
      `${last[i].steps} / ${last[j].steps}`,
      seconds(ours),
      seconds(peer),
      ratio("milliseconds"),
      ratio("processorMilliseconds"),
      [i, j].map((system) => formatBytes(last[system].residentBytes)).join(" / "),
    ];
  })
);
const table = textTable(
  [
    "genrec",
    "peer",
    "steps an epoch",
    "genrec, s",
    "peer, s",
    "theirs / ours",
    "processor time, theirs / ours",
    "memory, device / process",
  ],
  lines,
);
console.log(tableText(table));
await writeRows(values.out, "beside_pytorch", "sasrec-epoch", {
  command: [commandLine("bench/speed/sasrec.ts")],
  ...await conditionsNow(`${description || chip}; torch with ${last.at(-1)!.threads} threads`),
  tables: [table],
}, 2);
Deno.exit(0); // without destroying the device, which may crash with work in flight

/** Our epochs with so many packed items a step; the checked one updates nothing. */
function packed(tokensPerBatch: number): System {
  const model = fresh(device);
  const data = new PackedData(
    source,
    { tokensPerBatch, gradientAccumulationSteps: 1, batchSize: 0 },
    config.seed,
  );
  const { learningRate: _, ...settings } = OPTIMIZER;
  const optimizer = new Optimizer(model.parameters, { ...settings, emaDecay: 0 });
  const size = { steps: 2 * data.steps(0), rows: data.capacity.rows, microBatches: 1 };
  const log = new LossLog(device, source.tasks, size);
  const still = new ItemStep(model, optimizer, data, { config: { ...config, dropout: 0 }, microBatches: 1 });
  const learning = new ItemStep(model, optimizer, data, { config, microBatches: 1 });
  let number = 0;
  let step = 0;
  return {
    name: `${tokensPerBatch} packed items a step`,
    costs: [],
    async epoch(learn) {
      const steps = data.steps(number);
      const { result: loss, cost } = await costOf(() => epoch(learn, steps));
      return { loss, steps, ...cost, threads: 0, residentBytes: device.memory.peak };
    },
  };

  async function epoch(learn: boolean, steps: number): Promise<number> {
    for (let i = 0; i < steps; i++) {
      const dealt = await dealStep(ALONE, {
        count: 1,
        make: () => data.microBatches(number, i),
        tasks: source.tasks.length,
        isStopped: false,
      });
      await (learn ? learning.run(step++, dealt, learningRate, log, i) : still.run(step++, dealt, 0, log, i));
      if (i % 16 === 15) await device.settle(); // recorded work would pile up
    }
    number++;
    const [sums] = await device.read(log.sums);
    return (await log.summary(sums, steps)).loss;
  }
}
