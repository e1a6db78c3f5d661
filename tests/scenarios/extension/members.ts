// A throw-away member of each kind that registers. They are texts, since they live where a copy of the repository has
// them: written into it, checked there, used, and gone.

/** A member: its files, and the line by which it is known. */
export interface Member {
  /** What it is one of. */
  kind: string;
  /** Path -> text. */
  files: Record<string, string>;
  /** Registry that the line goes to. */
  registry: string;
  line: string;
}

/** Every member, under names that nothing else has. */
export const MEMBERS: readonly Member[] = [
  {
    kind: "kernel",
    registry: "kernels/registry.ts",
    line: 'export { spec as threefold } from "./elementwise/threefold_spec.ts";',
    files: {
      "kernels/elementwise/threefold.wgsl": `
struct Params { rows: u32, groups: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@compute @workgroup_size(16, 8) fn threefold(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  store0(id.y, id.x, 3.0 * load0(id.y, id.x));
}
`,
      "kernels/elementwise/threefold.ts": `
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./threefold.wgsl" with { type: "text" };
const kernel: Kernel = {
  label: "kernels/elementwise/threefold.wgsl", code, entry: "threefold", inputs: 1, outputs: 1, flats: [],
  workgroup: [16, 8],
};
export function threefold(device: Device, x: Matrix): Matrix {
  const out = device.matrix(x.rows, x.cols);
  const groups = groupsOf(x.cols);
  device.run(kernel, { inputs: [x], outputs: [out], u32: [x.rows, groups], invocations: [groups, x.rows] });
  return out;
}
`,
      "kernels/elementwise/threefold_spec.ts": `
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { threefold } from "./threefold.ts";
export const spec: KernelSpec = {
  name: "threefold",
  cases: () => [{ name: "(5, 7)", inputs: { x: matrixOf(5, 7, noise(1)) }, attributes: undefined }],
  reference: ({ x }) => ({ out: { ...x, data: x.data.map((value) => 3 * value) } }),
  forward: (device, { x }) => ({ out: threefold(device, x as Matrix) }),
  backward: (device, _inputs, _outputs, { out }) => ({ x: threefold(device, out as Matrix) }),
};
`,
    },
  },
  {
    kind: "raw data source",
    registry: "data/etl/registry.ts",
    line: 'export { tills } from "./sources/tills.ts";',
    files: {
      "data/etl/sources/tills.ts": `
import { delimited } from "../read/file_format.ts";
import { name } from "../read/sql.ts";
import type { RawSource } from "../source.ts";
export const tills: RawSource = {
  name: "tills",
  layout: "--reviews tills.csv",
  source: "the tills of a shop",
  license: "none",
  titleFilter: "off",
  columnsByUser: false,
  reviews: () => ({
    format: delimited(","), user: "card", item: "article",
    time: { column: "second", unit: "seconds", format: "" },
  }),
  items: () => undefined,
};
`,
    },
  },
  {
    kind: "dataset format",
    registry: "data/formats/registry.ts",
    line: 'export { plainFormat } from "./plain/read.ts";',
    files: {
      "data/formats/plain/read.ts": `
import type { Corpus } from "../../corpus.ts";
import type { DatasetFormat } from "../format.ts";
export const plainFormat: DatasetFormat = {
  name: "plain",
  layout: "plain.json",
  recognises: (dir) => Deno.stat(\`\${dir}/plain.json\`).then(() => true, () => false),
  async read(dir) {
    const path = \`\${dir}/plain.json\`;
    const { users, items, ...corpus } = JSON.parse(await Deno.readTextFile(path));
    const interactions = { users: Int32Array.from(corpus.log.users), items: Int32Array.from(corpus.log.items) };
    return { ...corpus, users, items, interactions, attachments: {}, files: [path], unread: [] } as Corpus;
  },
};
`,
    },
  },
  {
    kind: "convert target",
    registry: "data/convert/registry.ts",
    line: 'export { plainWriter } from "../formats/plain/write.ts";',
    files: {
      "data/formats/plain/write.ts": `
import { ALL_FIELDS } from "../../convert/fields.ts";
import type { DatasetWriter } from "../../convert/writer.ts";
import { joinLists } from "../../corpus_stream.ts";
import { splits } from "../../dataset.ts";
export const plainWriter: DatasetWriter = {
  name: "plain",
  holds: ALL_FIELDS,
  async *files(corpus) {
    const log = { users: [] as number[], items: [] as number[] };
    for await (const { users, items } of corpus.interactions()) {
      log.users.push(...users);
      log.items.push(...items);
    }
    const items = await joinLists(corpus.items()), users = await joinLists(corpus.users());
    const samples: Record<string, unknown[]> = {};
    for (const split of splits) samples[split] = await joinLists(corpus.samples(split));
    yield ["plain.json", [JSON.stringify({ ...corpus, items, users, samples, log })]];
  },
};
`,
    },
  },
  {
    kind: "result format",
    registry: "data/result_files/registry.ts",
    line: 'export { plainResults } from "../formats/plain/results.ts";',
    files: {
      "data/formats/plain/results.ts": `
import type { ResultFormat } from "../../result_files/format.ts";
export const plainResults: ResultFormat = {
  name: "plain-lists",
  row: ({ target, predictions }) => ({ wanted: target, got: predictions }),
  summary: () => [],
};
`,
    },
  },
  {
    kind: "embedding provider",
    registry: "embed/registry.ts",
    line: 'export { countingProvider } from "./counting.ts";',
    files: {
      "embed/counting.ts": `
import { z } from "zod";
import type { FileProvider } from "./provider.ts";
export const countingProvider: FileProvider<{ step: number }> = {
  input: "file",
  name: "counting",
  Config: z.strictObject({ step: z.number().default(1).describe("what items differ by") }),
  load: (_files, ids, { step }) =>
    Promise.resolve({ dim: 2, data: Float32Array.from(ids.flatMap((_, item) => [step * item, 1])) }),
};
`,
    },
  },
  {
    kind: "SID method",
    registry: "sid/methods/registry.ts",
    line: 'export { pairwise } from "./pairwise.ts";',
    files: {
      "sid/methods/pairwise.ts": `
import { z } from "zod";
import type { SidCodes, SidMethod } from "../method.ts";
const coded = (rows: number, width: number, data: Float32Array): SidCodes => ({
  codes: Uint16Array.from({ length: 2 * rows }, (_, i) => i % 2 === 0 ? Math.floor(i / 2 / width) : 0),
  levels: 2,
  errors: [1, 1],
  lastLevel: { residuals: data.slice(), codebook: data.slice(), dim: data.length / rows },
});
export const pairwise: SidMethod<{ width: number }> = {
  name: "pairwise",
  Config: z.strictObject({ width: z.int().default(2).describe("items that share a code") }),
  fit: (_device, { embeddings: { rows, data } }, { width }) =>
    Promise.resolve({ ...coded(rows, width, data), model: { codebookSizes: [rows, rows], tensors: new Map() } }),
  encode: (_device, { rows, data }, _model, { width }) => Promise.resolve(coded(rows, width, data)),
};
`,
    },
  },
  {
    kind: "collision policy",
    registry: "sid/collisions/registry.ts",
    line: 'export { byRow } from "./by_row.ts";',
    files: {
      "sid/collisions/by_row.ts": `
import { codesByItem, type CollisionPolicy, resolvedCodes } from "./policy.ts";
export const byRow: CollisionPolicy = {
  name: "by-row",
  resolve: (codes) => resolvedCodes(codes, codesByItem(codes).map((sid, item) => [...sid.slice(0, -1), item])),
};
`,
    },
  },
  {
    kind: "decoder shape",
    registry: "models/decoder/shapes/registry.ts",
    line: 'export { mistral } from "./mistral.ts";',
    files: {
      "models/decoder/shapes/mistral.ts": `
import type { DecoderShape } from "./shape.ts";
export const mistral: DecoderShape = {
  architecture: "MistralForCausalLM",
  maxPositions: 131072,
  queryKeyNorm: false,
  attentionBias: "optional",
  mlpBias: false,
};
`,
    },
  },
  {
    kind: "optimizer",
    registry: "models/optimizer/rules/registry.ts",
    line: 'export { descent } from "./descent.ts";',
    files: {
      "models/optimizer/rules/descent.ts": `
import { accumulate } from "../../../kernels/optimizer/accumulate.ts";
import type { UpdateRule } from "./rule.ts";
export const descent: UpdateRule = {
  summary: "adds gradients to weights",
  isShared: false,
  open: ({ device, segments }) => ({
    arrays: {},
    hyper: (_t, rate) => [rate, 0, 0],
    step: () => segments.forEach(({ values, gradients }) => accumulate(device, values, gradients)),
    destroy() {},
  }),
};
`,
    },
  },
  {
    kind: "training task",
    registry: "prompts/tasks/registry.ts",
    line: 'export { lastItem } from "./last_item.ts";',
    files: {
      "prompts/tasks/last_item.ts": `
import type { AlignmentTask } from "./task.ts";
export const lastItem: AlignmentTask = {
  name: "last-item",
  summary: "SIDs of a history -> the last of them",
  wording: { instruction: "Last of", input: "{history}", output: "{sid}" },
  question: ["history"],
  answer: ["sid"],
  missing: () => undefined,
  examples: ({ dataset: { samples: { train } }, texts: { sids } }) => ({
    count: train.length,
    leftOut: {},
    example: (i) => ({
      question: { history: train[i].history.map((item) => sids[item]) },
      answer: { sid: sids[train[i].history.at(-1)!] },
    }),
  }),
};
`,
    },
  },
  {
    kind: "reward",
    registry: "train/rl/rewards/registry.ts",
    line: 'export { evenItem } from "./even_item.ts";',
    files: {
      "train/rl/rewards/even_item.ts": `
import { z } from "zod";
import type { RewardMethod } from "./reward.ts";
export const evenItem: RewardMethod<{ evenBonus: number }> = {
  name: "even-item",
  summary: "a bonus for items of even number",
  Config: z.strictObject({ evenBonus: z.number().default(1).describe("the bonus of the reward even-item") }),
  create: (_context, { evenBonus }) => ({
    score: ({ completions }) =>
      Float64Array.from(completions, ({ items }) => items[0] % 2 === 0 ? evenBonus : 0),
  }),
};
`,
    },
  },
  {
    kind: "RL objective",
    registry: "train/rl/objectives/registry.ts",
    line: 'export { reinforce } from "./reinforce.ts";',
    files: {
      "train/rl/objectives/reinforce.ts": `
import { grpo } from "./grpo.ts";
import type { ObjectiveMethod } from "./objective.ts";
export const reinforce: ObjectiveMethod = {
  ...grpo,
  name: "reinforce",
  summary: "log-probabilities by their rewards less the mean",
  source: "Williams 1992",
  advantageScale: "none",
};
`,
    },
  },
  {
    kind: "baseline",
    registry: "train/baselines/registry.ts",
    line: 'export { inOrder } from "./in_order.ts";',
    files: {
      "train/baselines/in_order.ts": `
import { z } from "zod";
import type { ItemScoringMethod } from "./method.ts";
export const inOrder: ItemScoringMethod<Record<string, never>> = {
  name: "in-order",
  summary: "items by their numbers",
  Config: z.strictObject({}),
  scoreUnit: "weight",
  async train({ dataset, run, onStart }) {
    await onStart?.({ parameters: 0, sequences: 1, targets: 1, steps: 1, done: 0 });
    const shape = { model_type: "in-order", items: dataset.items.length };
    await run.saveCheckpoint(1, { "config.json": JSON.stringify(shape) }, true);
    return { stopped: "finished", steps: 1, best: null, seconds: 0 };
  },
  async load(_device, folder) {
    const { items } = JSON.parse(await Deno.readTextFile(\`\${folder}/config.json\`));
    const scores = () => Promise.resolve(Float32Array.from({ length: items }, (_, item) => -item));
    const first = (k: number) => Array.from({ length: k }, (_, item) => item);
    return {
      items,
      scores,
      async *scoreAll(histories) {
        for (const _ of histories) yield await scores();
      },
      rank: (histories, k) =>
        Promise.resolve(histories.map(() => ({ items: first(k), scores: first(k).map((item) => -item) }))),
      destroy() {},
    };
  },
};
`,
    },
  },
  {
    kind: "candidates",
    registry: "rank/candidates/registry.ts",
    line: 'export { topShelf } from "./top_shelf.ts";',
    files: {
      "rank/candidates/top_shelf.ts": `
import type { CandidateGenerator } from "./candidates.ts";
export const topShelf: CandidateGenerator = {
  name: "top-shelf",
  summary: "the last three items of the catalogue",
  propose: (_request, { counts: { bought } }) => [bought.length - 3, bought.length - 2, bought.length - 1],
};
`,
    },
  },
  {
    kind: "features",
    registry: "rank/features/registry.ts",
    line: 'export { shelfFeatures } from "./shelf.ts";',
    files: {
      "rank/features/shelf.ts": `
import type { FeatureGroup } from "./features.ts";
export const shelfFeatures: FeatureGroup = {
  name: "shelf",
  summary: "on which shelf of two items it stands",
  open: () => ({
    columns: [{ name: "number" }],
    write: (_request, items, put) => items.forEach((item, i) => put(i, 0, Math.floor(item / 2))),
  }),
};
`,
    },
  },
  {
    kind: "ranking loss",
    registry: "rank/losses/registry.ts",
    line: 'export { halfLoss } from "./half.ts";',
    files: {
      "rank/losses/half.ts": `
import { scale } from "../../kernels/elementwise/add.ts";
import type { RankingLoss } from "./losses.ts";
import { softmaxLoss } from "./softmax.ts";
export const halfLoss: RankingLoss = {
  name: "half",
  summary: "softmax of half the scores",
  record(tape, scores, lists, listLoss) {
    const half = scale(tape.device, scores, 0.5);
    tape.record(() => {
      const gradient = tape.gradient(half);
      if (gradient) tape.accumulate(scores, scale(tape.device, gradient, 0.5));
    });
    softmaxLoss.record(tape, half, lists, listLoss);
  },
};
`,
    },
  },
  {
    kind: "run kind",
    registry: "train/runs/registry.ts",
    line: 'export { wishList } from "./wish_list.ts";',
    files: {
      "train/runs/wish_list.ts": `
import { loadDataset } from "../../data/formats/load.ts";
import type { RunKind } from "./run_kind.ts";
export const wishList: RunKind = {
  name: "wish list",
  summary: "a folder with wishes.json",
  matches: ({ names }) => names.includes("wishes.json"),
  async open({ given, path }, { data = "" }) {
    const dataset = await loadDataset(data);
    const wishes: number[] = JSON.parse(await Deno.readTextFile(\`\${path}/wishes.json\`));
    const names = dataset.items.map((_, item) => String(item));
    const candidates = wishes.map((item, i) => ({ name: names[item], items: [item], score: -i }));
    return {
      catalogue: { items: dataset.items, names },
      dataset,
      settings: {},
      provenance: { kind: "wish list", model: "wishes", run: given, checkpoint: "", data, index: "" },
      scoreUnit: "weight",
      load: () => Promise.resolve(),
      batchSize: () => Promise.resolve(8),
      recommend: (requests, { k }) => Promise.resolve(requests.map(() => candidates.slice(0, k))),
      embeddings: () => Promise.resolve(undefined),
      destroy() {},
    };
  },
};
`,
    },
  },
  {
    kind: "observer",
    registry: "train/observers/registry.ts",
    line: 'export { openLedger as ledger } from "./ledger.ts";',
    files: {
      "train/observers/ledger.ts": `
import type { OpenObserver } from "./observer.ts";
export const openLedger: OpenObserver = ({ directory }) => ({
  log: (step, values) =>
    Deno.writeTextFile(\`\${directory}/ledger.txt\`, \`\${step} \${Object.keys(values).join()}\\n\`, { append: true }),
  close() {},
});
`,
    },
  },
  {
    kind: "command",
    registry: "tasks/registry.ts",
    line: '  greet: entry("say hello to a shop", () => import("./greet.ts")),',
    files: {
      "tasks/greet.ts": `
import { z } from "zod";
import type { Task } from "./_cli/cli.ts";
const config = z.strictObject({ shop: z.string().describe("whom to greet") });
export const task: Task<typeof config> = {
  name: "greet",
  summary: "say hello to a shop",
  config,
  run({ shop }, io) {
    io.log(\`Hello, \${shop}\`);
    return Promise.resolve();
  },
};
`,
    },
  },
];
