/**
 * What a ranker over trained runs adds, and which features carry it: `genrec rank` on one dataset, with all features,
 * without each group, and learned from the valid split.
 *
 *     deno run -A bench/results/rank.ts --data DIR --runs "runs/industrial/seed-{seed},runs/sasrec-{seed}" \
 *       --fold-runs "runs/industrial-fold/seed-{seed},runs/sasrec-fold-{seed}" [--seeds 42,43,44] [--arms all] \
 *       [--out docs/benchmarks]
 *
 * Runs are those of `genrec sft` and `genrec baseline`, folds the same with --holdout-rows. Lists are made once a seed; each
 * arm is trained on them as `genrec rank` does, valid choosing its epoch, and read once on test. Prints the table, and with
 * `--out` writes it into the page of Industrial there.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { loadDataset } from "../../data/formats/load.ts";
import { holdOut } from "../../data/holdout.ts";
import { hitsAtK, mean, ndcgAtK, type Rank } from "../../eval/metrics.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { FEATURE_GROUPS } from "../../rank/features/by_name.ts";
import type { FeatureColumn } from "../../rank/features/features.ts";
import { titleTerms } from "../../rank/features/sources.ts";
import { type Standardisation, standardise } from "../../rank/features/standardise.ts";
import { askRuns } from "../../rank/lists/ask_runs.ts";
import type { TargetLists } from "../../rank/lists/lists.ts";
import { HostScores } from "../../rank/network/host_scores.ts";
import { heldOutRows, type RankedRun } from "../../train/rank/check_runs.ts";
import { type RankConfig, RankSchema } from "../../train/rank/config.ts";
import { listsOf, type RankedSplit, rankedSplit } from "../../train/rank/lists.ts";
import { readRankWeights } from "../../train/rank/saved.ts";
import { trainRanker } from "../../train/rank/training.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, spreadOf, type Table, tableText } from "../pages/page.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "data/minionerec-industrial" },
    runs: { type: "string", default: "runs/industrial/seed-{seed},runs/sasrec-{seed}" },
    "fold-runs": { type: "string", default: "runs/industrial-fold/seed-{seed},runs/sasrec-fold-{seed}" },
    seeds: { type: "string", default: "42" },
    arms: { type: "string", default: "all" },
    out: { type: "string", default: "" },
  },
});

/** What is trained otherwise than by default, by name of the row. */
interface Arm {
  settings?: Partial<RankConfig>;
  /** Group of features that is left out. */
  without?: string;
  /** Rows that are learned from; default: those that folds left out. */
  from?: "valid";
}

const ARMS: Record<string, Arm> = {
  "ranker": {},
  "ranker, learned from valid": { from: "valid" },
  "linear": { settings: { hiddenSize: 0 } },
  "one network": { settings: { numRankers: 1 } },
  ...Object.fromEntries(FEATURE_GROUPS.map(({ name }) => [`without ${name}`, { without: name }])),
};

const CUTS = [["HR@5", hitsAtK, 5], ["NDCG@5", ndcgAtK, 5], ["HR@10", hitsAtK, 10], [
  "NDCG@10",
  ndcgAtK,
  10,
]] as const;
type Figures = number[];

const device = await Device.open();
const dataset = await loadDataset(values.data);
const texts = titleTerms(dataset.items);
const wanted = Object.keys(ARMS).filter((name) =>
  values.arms === "all" || values.arms.split(",").includes(name)
);
const seeds = values.seeds.split(",").map(Number);
const found = new Map<string, Figures[]>();
/** Processor time a user, a seed. */
const milliseconds: number[] = [];
const add = (row: string, figures: Figures) => found.set(row, [...found.get(row) ?? [], figures]);

for (const seed of seeds) {
  const open = (paths: string) =>
    Promise.all(
      paths.replaceAll("{seed}", String(seed)).split(",").map(async (run): Promise<RankedRun> => ({
        run,
        recommender: await openRun(run, { dataset, data: values.data, device }),
      })),
    );
  const settings = RankSchema.parse({ seed });
  const whole = await open(values.runs), folds = await open(values["fold-runs"]);
  const part = holdOut(dataset, await heldOutRows(folds, whole));
  const recommenders = (of: RankedRun[]) => of.map(({ recommender }) => recommender);
  const split = rankedSplit(dataset, texts, recommenders(whole), settings);
  const lists = {
    holdout: await listsOf(rankedSplit(part, texts, recommenders(folds), settings), part.samples.valid),
    valid: await listsOf(split, dataset.samples.valid),
    test: await listsOf(split, dataset.samples.test),
  };
  const { columns } = split.maker.features;
  for (const recommender of recommenders(whole)) {
    add(`${recommender.provenance.model} alone`, figuresOf(await ranksOf(recommender)));
  }
  add("target among the candidates", Array(CUTS.length).fill(lists.test.targets.length / lists.test.samples));
  for (const name of wanted) {
    const { settings: own, without, from } = ARMS[name];
    const learned = from === "valid" ? lists.valid : lists.holdout;
    const standardisation = ablated(columns, learned.standardisation, without);
    const config = { ...settings, ...own };
    const { figures, host } = await trained(
      { ...learned, standardisation },
      from === "valid" ? undefined : lists.valid,
      lists.test,
      columns,
      config,
    );
    console.error(`seed ${seed}, ${name}: ${figures.map((value) => value.toFixed(4)).join(" ")}`);
    add(name, figures);
    if (name === "ranker") milliseconds.push(await timeAUser(split, learned.standardisation, host));
  }
  for (const { recommender } of [...whole, ...folds]) recommender.destroy();
}

const table: Table = {
  columns: [{ name: "test" }, ...CUTS.map(([name]) => ({ name, format: "share" as const }))],
  rows: Array.from(found, ([row, all]): Cell[] => [
    row,
    ...CUTS.map((_, cut) => spreadOf(all.map((figures) => figures[cut]))),
  ]),
};
console.log(tableText(table));
await writeOut(values.out, "industrial", {
  rank: {
    command: [commandLine("bench/results/rank.ts")],
    ...await conditionsNow(device.info.description),
    seeds,
    tables: [table],
    remarks: milliseconds.length === 0 ? [] : [
      `Candidates, features and scores take ${
        (milliseconds.reduce((a, b) => a + b) / milliseconds.length).toFixed(1)
      } ms of processor time a user, beside the lists of the runs.`,
    ],
  },
});

/** The inputs of a group become 0 where their deviation is. */
function ablated(
  columns: readonly FeatureColumn[],
  { mean, deviation }: Standardisation,
  without: string | undefined,
): Standardisation {
  const groups = columns.flatMap(({ name, signed }) => Array(signed ? 1 : 3).fill(name.split(".")[0]));
  return { mean, deviation: deviation.map((value, i) => groups[i] === without ? 0 : value) };
}

async function ranksOf(recommender: Recommender): Promise<Rank[]> {
  const { test } = dataset.samples;
  const ranks: Rank[] = [];
  const options = { k: 10, beams: 50 };
  const batch = await recommender.batchSize(options);
  for (let start = 0; start < test.length; start += batch) {
    const some = test.slice(start, start + batch);
    for (const [i, list] of (await recommender.recommend(some, options)).entries()) {
      const rank = list.flatMap(({ items }) => items).indexOf(some[i].target);
      ranks.push(rank < 0 ? null : rank);
    }
  }
  return ranks;
}

async function trained(
  learned: TargetLists,
  valid: TargetLists | undefined,
  test: TargetLists,
  columns: readonly FeatureColumn[],
  config: RankConfig,
): Promise<{ figures: Figures; host: HostScores }> {
  const folder = await Deno.makeTempDir();
  try {
    const run = new RunDirectory(folder);
    await run.create(false);
    const signal = new AbortController().signal;
    await trainRanker({ device, lists: learned, valid, columns, run, resume: false, signal }, config);
    const { standardisation } = learned;
    const inputs = standardisation.mean.length;
    const { shape, tensors } = await readRankWeights(await run.checkpoint(valid ? "best" : "latest"), inputs);
    const host = new HostScores(shape, tensors);
    const ranks: Rank[] = new Array(test.samples - test.targets.length).fill(null);
    for (const [list, raw] of test.raw.entries()) {
      const x = new Float32Array((test.offsets[list + 1] - test.offsets[list]) * inputs);
      standardise(columns, standardisation, raw, x);
      const scores = host.of(x);
      const own = test.targets[list] - test.offsets[list];
      ranks.push(
        scores.reduce(
          (rank, score, i) => score > scores[own] || score === scores[own] && i < own ? rank + 1 : rank,
          0,
        ),
      );
    }
    return { figures: figuresOf(ranks), host };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Milliseconds of processor time that candidates, features and scores take a user, the lists of the runs being there. */
async function timeAUser(
  { maker, runs, listLength }: RankedSplit,
  standardisation: Standardisation,
  host: HostScores,
): Promise<number> {
  const samples = dataset.samples.test.slice(0, 500);
  const asked = await askRuns(runs, samples, { k: listLength, beams: listLength });
  const rank = () => {
    for (const [i, { history }] of samples.entries()) {
      const { items, raw } = maker.make({ history, lists: asked[i] });
      const x = new Float32Array(items.length * standardisation.mean.length);
      standardise(maker.features.columns, standardisation, raw, x);
      host.of(x);
    }
  };
  rank(); // compiled by then
  const before = process.cpuUsage();
  rank();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / samples.length;
}

function figuresOf(ranks: readonly Rank[]): Figures {
  return CUTS.map(([, metric, k]) => mean(metric(ranks, k)));
}
