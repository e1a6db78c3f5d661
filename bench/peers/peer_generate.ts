/**
 * Evaluation beside Hugging Face transformers on the same CPU: trie-constrained beam search, normalised over the
 * vocabulary, for the same users with the same weights in float32. The peer is `generate()` (peers/generate.py) with
 * torch's default threads at the best of some batch sizes, tried first:
 *
 *     deno run -A bench/peers/peer_generate.ts [--run RUN [--checkpoint best]] [--users 512] [--turns 4] [--beams 50]
 *         [--batches 8,32,128] [--trial 128] [--constraints table,function] [--items 40] [--python python3]
 *         [--out docs/benchmarks]
 *     deno run -A bench/peers/peer_generate.ts --encoder-decoder etegrec|small [--data DIR] --beams 20 --users 64 …
 *
 * Without a run the model is small and has random weights, and `--items` makes prompts of so many items; the users are
 * those of MiniOneRec's Industrial test split where GENREC_DATA holds it, else random. An encoder-decoder has random
 * weights too, and users of LETTER's Instruments with up to 20 items. The two take turns. Prints Markdown; with `--out`
 * rows of other prompts and models stay on the page.
 */
import { parseArgs } from "node:util";
import type { Sample } from "../../data/dataset.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { leafSids, type Ranked } from "../../eval/recommender.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { buildTrie } from "../../sid/trie.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { encoderDecoderInputs, randomInputs, runInputs } from "./generate_inputs.ts";
import { type Cost, costOf } from "../speed/cost.ts";
import { type Constraint, type GenerateAnswer, openGeneratePeer } from "./generate_peer.ts";
import { PYTHON } from "./python_process.ts";
import { spread } from "../kernels/report.ts";
import { commandLine, conditionsNow, writeRows } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { compareTopLists } from "./top_lists.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string", default: "" },
    checkpoint: { type: "string", default: "best" },
    "encoder-decoder": { type: "string", default: "" },
    data: { type: "string", default: "" },
    items: { type: "string", default: "0" },
    users: { type: "string", default: "512" },
    turns: { type: "string", default: "4" },
    beams: { type: "string", default: "50" },
    batches: { type: "string", default: "8,32,128" },
    trial: { type: "string", default: "128" },
    constraints: { type: "string", default: "table,function" },
    python: { type: "string", default: PYTHON },
    out: { type: "string", default: "" },
  },
});
const PEERS: Record<Constraint, string> = {
  table: "transformers, all beams looked up at once",
  function: "transformers, prefix_allowed_tokens_fn",
};
const constraints = values.constraints.split(",").filter((name): name is Constraint => name in PEERS);
const TOP = 10;

interface System {
  name: string;
  /** Users a second of each turn. */
  rates: number[];
  /** Processor milliseconds of all turns. */
  processor: number;
  lists: Ranked[];
  rank(start: number, end: number): Promise<{ cost: Cost; lists: Ranked[] }>;
}

const folder = await Deno.makeTempDir();
const device = await Device.open();
const size = values["encoder-decoder"];
const data = values.data ||
  `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/${
    size ? "letter-instruments" : "minionerec-industrial"
  }`;
const inputs = values.run
  ? await runInputs(device, values.run, values.checkpoint)
  : size
  ? await encoderDecoderInputs(device, folder, data, size)
  : await randomInputs(device, folder, data, Number(values.items));
const { decoder, prompts } = inputs;
const samples = inputs.samples.slice(0, Number(values.users));
const trie = buildTrie(prompts.itemTokens);
const options = { beams: Number(values.beams), normalisation: "vocab" } as const;
const search = new BeamSearch(device, decoder, new DeviceTrie(device, trie), options);
const keyOf = (tokens: ArrayLike<number>) => Array.from(tokens).join(" ");
const promptOf = ({ history, ...asker }: Sample) => prompts.prompt(history, asker);
const names = leafSids(trie, prompts.itemTokens.map(keyOf));
async function recommend(users: readonly Sample[]): Promise<Ranked[]> {
  const lists: Ranked[] = [];
  for (let start = 0; start < users.length; start += search.promptsPerBatch) {
    const batch = users.slice(start, start + search.promptsPerBatch).map(promptOf);
    for (const { leaves, scores } of await search.run(batch)) {
      lists.push({ sids: leaves.map((leaf) => names[leaf]), scores });
    }
  }
  return lists;
}

const peer = await openGeneratePeer(values.python, {
  model: await Deno.realPath(inputs.model),
  prompts: samples.map(promptOf),
  sids: prompts.itemTokens,
  beams: search.beams,
});
const trial = Math.min(Number(values.trial), samples.length);
const tried: { batch: number; rate: number; answer: GenerateAnswer }[] = [];
for (const batch of values.batches.split(",").map(Number)) {
  await peer.ask({ start: 0, end: Math.min(batch, trial), batch, constraint: "table" });
  const answer = await peer.ask({ start: 0, end: trial, batch, constraint: "table" });
  tried.push({ batch, rate: 1000 * trial / answer.milliseconds, answer });
}
const best = tried.reduce((a, b) => a.rate > b.rate ? a : b);

const systems: System[] = [
  {
    name: "genrec",
    rates: [],
    processor: 0,
    lists: [],
    async rank(start, end) {
      const { result, cost } = await costOf(() => recommend(samples.slice(start, end)));
      return { cost, lists: result };
    },
  },
  ...constraints.map((constraint): System => ({
    name: PEERS[constraint],
    rates: [],
    processor: 0,
    lists: [],
    async rank(start, end) {
      const answer = await peer.ask({ start, end, batch: best.batch, constraint });
      const lists = answer.tokens.map((sids, user) => ({
        sids: sids.map(keyOf),
        scores: answer.scores[user],
      }));
      return { cost: answer, lists };
    },
  })),
];
await systems[0].rank(0, Math.min(samples.length, search.promptsPerBatch)); // compiles the kernels
const turns = Number(values.turns);
for (let turn = 0; turn < turns; turn++) {
  const [start, end] = [turn, turn + 1].map((n) => Math.floor(n * samples.length / turns));
  for (const system of systems) {
    const { cost, lists } = await system.rank(start, end);
    system.rates.push(1000 * (end - start) / cost.milliseconds);
    system.processor += cost.processorMilliseconds;
    system.lists.push(...lists);
  }
}
const { residentBytes, threads } = await peer.ask({ start: 0, end: 1, batch: 1, constraint: "table" });
await peer.close();
await Deno.remove(folder, { recursive: true });

const digits = (value: number) => value < 100 ? value.toFixed(1) : value.toFixed(0);
const { description, device: chip } = device.info;
const promptLength = samples.reduce((sum, sample) => sum + promptOf(sample).length, 0) / samples.length;
console.log(
  `${inputs.name}: ${samples.length} users, ${search.beams} beams, ${trie.leafCount} SIDs, prompts of ` +
    `${digits(promptLength)} tokens on average; torch with ${threads} threads; ${description || chip}\n`,
);
const [ours, ...theirs] = systems;
const trials = tried.map(({ batch, rate }) => `${batch}: ${digits(rate)}`).join(", ");
const row = [
  `${promptLength.toFixed(0)} tokens, ${samples.length} users`,
  ...(values.run ? ["a run"] : size ? [`encoder-decoder ${size}`] : []),
  ...(search.beams === 50 ? [] : [`${search.beams} beams`]),
].join(", ");
const table = textTable(
  [
    "prompts",
    "genrec, users/s",
    "transformers, users/s",
    "by batch size",
    "genrec is faster by",
    "of processor time",
    `equal top-${TOP} lists`,
    "memory, device / process",
  ],
  theirs.map(({ name, rates, processor, lists }) => {
    const { users, equal, ties, scoreDifference } = compareTopLists(ours.lists, lists, TOP);
    return [
      name === PEERS.table ? row : `${row}, ${name}`,
      spread(ours.rates, digits),
      spread(rates, digits),
      trials,
      spread(ours.rates.map((rate, turn) => rate / rates[turn]), digits),
      digits(processor / ours.processor),
      `${(100 * equal / users).toFixed(0)} %${ties ? `, ${ties} in ties` : ""}, within ${
        scoreDifference.toExponential(0)
      }`,
      `${formatBytes(device.memory.peak)} / ${formatBytes(residentBytes)}`,
    ];
  }),
);
console.log(tableText(table));
await writeRows(values.out, "beside_pytorch", "evaluation", {
  command: [commandLine("bench/peers/peer_generate.ts")],
  ...await conditionsNow(`${description || chip}; torch with ${threads} threads`),
  tables: [table],
});

Deno.exit(0); // without destroying the device, which may crash with work in flight
