/**
 * What one command makes of any data: `genrec train` on several datasets, and on parts of their users, beside counts and
 * SASRec on the same rows.
 *
 *     deno run -A bench/results/products.ts [--data DIR:3:42+43,DIR:30,DIR::42+43] [--seed 42] [--runs runs/products]
 *         [--out docs/benchmarks]
 *
 * `DIR:30` is 30 % of the users of DIR. Seeds draw them, and start all that is trained on them; of several, the users of all
 * draws count together, and those of a whole dataset with their mean. A stage that was stopped goes on, finished ones in `--runs` are not repeated.
 * Prints the table, and with `--out` writes it into the page of Industrial there.
 */
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { surveyed } from "../../data/convert/survey.ts";
import { writeFolder } from "../../data/convert/dataset_folder.ts";
import { corpusParts } from "../../data/corpus_parts.ts";
import { genrecWriter } from "../../data/convert/registry.ts";
import { loadCorpus, loadDataset } from "../../data/formats/load.ts";
import { mean, pairedDifference } from "../../eval/metrics.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";
import { partOfUsers } from "./part_of_users.ts";
import { differenceCell, firstTenOf } from "./ranks.ts";

const shared = Deno.env.get("GENREC_DATA") ?? "../shared/data";
const industrial = `${shared}/minionerec-industrial`, instruments = `${shared}/letter-instruments`;
const { values } = parseArgs({
  options: {
    data: {
      type: "string",
      default: [`${industrial}:3`, `${industrial}:10`, `${industrial}:30`, `${instruments}:20`].join(),
    },
    seed: { type: "string", default: "42" },
    runs: { type: "string", default: "runs/products" },
    out: { type: "string", default: "" },
  },
});
/** Who is measured, by the folder of its evaluation in that of a dataset. */
const SYSTEMS = {
  counts: "transitions/eval-test",
  SASRec: "sasrec/eval-test",
  decoder: "decoder-eval-test",
  product: "train/eval-test",
};
/** Epochs of SASRec, of which valid keeps the best: more than it needs on any of these. */
const SASREC_EPOCHS = 20;

type System = keyof typeof SYSTEMS;
/** Of the users of a row. */
type FirstTen = Awaited<ReturnType<typeof firstTenOf>>;

const rows: Cell[][] = [];
const raw: Record<string, unknown>[] = [];
const allSeeds = new Set<number>();
for (const spec of values.data.split(",")) {
  const [, dir, percent, of = values.seed] = /^(.*?)(?::([\d.]*))?(?::([\d+]+))?$/.exec(spec)!;
  const seeds = of.split("+").map(Number);
  const draws: Record<System, FirstTen>[] = [];
  const minutes: number[] = [], sizes: number[] = [];
  let items = 0;
  for (const seed of seeds) {
    allSeeds.add(seed);
    const { home, data } = await drawn(dir, percent, seed);
    minutes.push(await trained(home, data, seed));
    const dataset = await loadDataset(data);
    items = dataset.items.length;
    sizes.push(dataset.samples.train.length);
    const found = await Promise.all(Object.values(SYSTEMS).map((folder) => firstTenOf(join(home, folder))));
    draws.push(
      Object.fromEntries(Object.keys(SYSTEMS).map((system, i) => [system, found[i]])) as typeof draws[0],
    );
  }
  const all = percent ? concatenated : averaged;
  const valuesOf = (system: System, metric: keyof FirstTen) => all(draws.map((draw) => draw[system][metric]));
  const ndcg = (system: System) => mean(valuesOf(system, "ndcg10"));
  const better = ndcg("counts") > ndcg("SASRec") ? "counts" : "SASRec";
  const less = (system: System, than: System) =>
    pairedDifference(valuesOf(system, "ndcg10"), valuesOf(than, "ndcg10"), { seed: seeds[0] });
  const difference = less("product", better), ofDecoder = less("decoder", "SASRec");
  const draw = seeds.length === 1 ? "" : percent ? `, ${seeds.length} draws` : `, ${seeds.length} seeds`;
  rows.push([
    basename(dir) + (percent ? `, ${percent} % of the users` : "") + draw,
    Math.round(mean(Float64Array.from(sizes))),
    items,
    valuesOf("product", "ndcg10").length,
    ndcg("counts"),
    ndcg("SASRec"),
    ndcg("decoder"),
    differenceCell(ofDecoder),
    ndcg("product"),
    mean(valuesOf("product", "hr10")),
    Number((ndcg("product") / ndcg(better)).toFixed(2)),
    differenceCell(difference),
    Math.round(mean(Float64Array.from(minutes))),
  ]);
  const ofDraws = draws.map(({ product, [better]: other }) => [mean(product.ndcg10), mean(other.ndcg10)]);
  raw.push({ spec: spec.replace(dir, basename(dir)), seeds, difference, decoder: ofDecoder, ofDraws });
}

const share = "share" as const;
const table: Table = {
  columns: [
    { name: "data" },
    { name: "train" },
    { name: "items" },
    { name: "test" },
    { name: "counts, NDCG@10", format: share },
    { name: "SASRec", format: share },
    { name: "decoder alone", format: share },
    { name: "less SASRec's" },
    { name: "genrec train", format: share },
    { name: "its HR@10", format: share },
    { name: "times the better" },
    { name: "less the better" },
    { name: "minutes" },
  ],
  rows,
};
console.log(tableText(table));
await writeOut(values.out, "industrial", {
  products: {
    command: [commandLine("bench/results/products.ts")],
    ...await conditionsNow(),
    seeds: [...allSeeds],
    tables: [table],
    raw,
  },
});

/** Folder of what is trained on a draw, and the dataset, made where it is not there yet. */
async function drawn(
  dir: string,
  percent: string | undefined,
  seed: number,
): Promise<{ home: string; data: string }> {
  const name = [basename(dir), percent, seed === 42 ? "" : `seed-${seed}`].filter(Boolean).join("-");
  const home = join(values.runs, name);
  if (!percent) return { home, data: dir };
  const data = join(home, "data");
  if (!await exists(data)) {
    const part = partOfUsers(await loadCorpus(dir), Number(percent), seed);
    await Deno.mkdir(home, { recursive: true });
    const origin = { settings: { of: basename(dir), percent: Number(percent), seed }, inputs: {} };
    await writeFolder(
      data,
      (written) => genrecWriter.files(surveyed(corpusParts(part)), { tokenOrder: "text", origin }, written),
    );
  }
  return { home, data };
}

/** Trains and evaluates what is not there yet. Returns the minutes of `genrec train`. */
async function trained(home: string, data: string, seed: number): Promise<number> {
  const common = ["--data", data, "--seed", `${seed}`];
  const baselines = {
    transitions: ["--data", data],
    sasrec: [...common, "--num-train-epochs", `${SASREC_EPOCHS}`],
  };
  for (const [model, words] of Object.entries(baselines)) {
    const out = join(home, model);
    if (await exists(join(out, "eval-test/metrics.json"))) continue;
    if (await exists(out)) await Deno.remove(out, { recursive: true });
    await runGenrec(["baseline", "--model", model, ...words, "--evaluate", "test", "--out", out]);
  }
  const out = join(home, "train"), kept = join(home, "minutes.json");
  if (!await exists(join(out, "eval-test/metrics.json"))) {
    const spent: number = await exists(kept) ? JSON.parse(await Deno.readTextFile(kept)) : 0;
    const start = performance.now();
    try {
      await runGenrec(["train", ...common, "--out", out]);
    } finally {
      const minutes = spent + (performance.now() - start) / 60_000;
      await writeAtomic(kept, JSON.stringify(minutes));
    }
  }
  const alone = join(home, SYSTEMS.decoder);
  if (!await exists(join(alone, "metrics.json"))) {
    const run = ["--run", join(out, "decoder"), "--data", data];
    await runGenrec(["evaluate", ...run, "--split", "test", "--beams", "50", "--out", alone]);
  }
  return Math.round(JSON.parse(await Deno.readTextFile(kept)));
}

function concatenated(parts: readonly Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** The mean of each user. */
function averaged(parts: readonly Float64Array[]): Float64Array {
  return parts[0].map((_, user) => mean(Float64Array.from(parts, (part) => part[user])));
}
