/**
 * What a ranker over trained runs adds, and which features carry it: `genrec rank` on one dataset, with all features,
 * without each group, and learned from the valid split.
 *
 *     deno run -A bench/results/rank.ts [--data DIR] [--runs RUN,RUN,…] [--fold-runs FOLD,FOLD,…] [--seeds 42,43,44]
 *         [--arms all] [--lists runs/rank-lists] [--page industrial] [--block rank] [--out docs/benchmarks]
 *
 * Runs are those of `genrec sft` and `genrec baseline`, folds the same with --holdout-rows, those of a second fold after those
 * of the first; `{seed}` in their names is that of the row. What runs list and arms reached is kept in `--lists`, and not made again; each arm is trained on it as `genrec rank`
 * does, valid choosing its epoch, and read once on test. Prints the table, and with `--out` writes it into that
 * block of that page there.
 */
import { dirname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import type { Sample } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { hitsAtK, mean, ndcgAtK, type Rank } from "../../eval/metrics.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { CANDIDATE_GENERATORS } from "../../rank/candidates/by_name.ts";
import type { RunList } from "../../rank/candidates/candidates.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { FEATURE_GROUPS } from "../../rank/features/by_name.ts";
import type { FeatureColumn } from "../../rank/features/features.ts";
import { itemTerms } from "../../rank/features/sources.ts";
import { type Standardisation, standardise } from "../../rank/features/standardise.ts";
import { askRuns } from "../../rank/lists/ask_runs.ts";
import type { TargetLists } from "../../rank/lists/lists.ts";
import { HostScores } from "../../rank/network/host_scores.ts";
import type { RankedRun } from "../../train/rank/check_runs.ts";
import { type RankConfig, RankSchema } from "../../train/rank/config.ts";
import { type Fold, foldsOf } from "../../train/rank/folds.ts";
import {
  foldLists,
  listsOf,
  type RankedSplit,
  rankedSplit,
  type RunListLengths,
  runListLengths,
} from "../../train/rank/lists.ts";
import { readRankWeights } from "../../train/rank/saved.ts";
import { trainRanker } from "../../train/rank/training.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { exists } from "./command.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, spreadOf, type Table, tableText } from "../pages/page.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "data/minionerec-industrial" },
    runs: { type: "string", default: "runs/industrial/seed-{seed},runs/sasrec-{seed},runs/gru4rec-{seed}" },
    "fold-runs": {
      type: "string",
      default: "runs/industrial-fold/seed-{seed},runs/sasrec-fold-{seed},runs/gru4rec-fold-{seed}",
    },
    seeds: { type: "string", default: "42" },
    lists: { type: "string", default: "runs/rank-lists" },
    arms: { type: "string", default: "all" },
    page: { type: "string", default: "industrial" },
    block: { type: "string", default: "rank" },
    out: { type: "string", default: "" },
  },
});

/** What is trained otherwise than by default, by name of the row. */
interface Arm {
  settings?: Partial<RankConfig>;
  /** Group of features that is left out. */
  without?: string;
  /** Source of candidates that is left out. */
  candidates?: string;
  /** Rows that are learned from; default: those that folds left out. */
  from?: "valid";
  /** Whether every seed is trained; others show what a part is worth, and the first is enough. */
  isMain?: boolean;
}

const ARMS: Record<string, Arm> = {
  "ranker": { isMain: true },
  "ranker learned from valid": { from: "valid", isMain: true },
  "linear": { settings: { hiddenSize: 0 } },
  "one network": { settings: { numRankers: 1 } },
  ...Object.fromEntries(FEATURE_GROUPS.map(({ name }) => [`without ${name}`, { without: name }])),
  ...Object.fromEntries(
    CANDIDATE_GENERATORS.map(({ name }) => [`without candidates of ${name}`, { candidates: name }]),
  ),
};

const CUTS = [["HR@5", hitsAtK, 5], ["NDCG@5", ndcgAtK, 5], ["HR@10", hitsAtK, 10], [
  "NDCG@10",
  ndcgAtK,
  10,
]] as const;
type Figures = number[];
/** What is kept of an arm. */
interface Measured {
  figures: Figures;
  milliseconds: number;
}

const device = await Device.open();
const dataset = await loadDataset(values.data);
const texts = itemTerms(dataset.items);
const wanted = Object.keys(ARMS).filter((name) =>
  values.arms === "all" || values.arms.split(",").includes(name)
);
const seeds = values.seeds.split(",").map(Number);
/** Whether all seeds rank the same runs. */
const sharesRuns = !values.runs.includes("{seed}");
const found = new Map<string, Figures[]>();
/** Processor time a user, a seed. */
const times: number[] = [];
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
  const wantedLists = runListLengths(settings);
  const kept = async (of: readonly Recommender[], samples: readonly Sample[], name: string, before = 0) =>
    await Promise.all(
      of.map((run, i) =>
        keptLists(
          run,
          samples,
          wantedLists,
          join(values.lists, `${name}-${before + i + 1}-seed-${sharesRuns ? seeds[0] : seed}.json`),
        )
      ),
    );
  const recommenders = whole.map(({ recommender }) => recommender);
  const earlier = await foldsOf(folds, whole, dataset);
  const listsWith = async (settings: RankConfig) => {
    const parts: Fold[] = [];
    for (const [i, fold] of earlier.entries()) {
      parts.push({ ...fold, runs: await kept(fold.runs, fold.samples, "holdout", i * whole.length) });
    }
    const asked = {
      valid: await kept(recommenders, dataset.samples.valid, "valid"),
      test: await kept(recommenders, dataset.samples.test, "test"),
    };
    const split = rankedSplit(dataset, texts, asked.valid, settings);
    return {
      split,
      asked,
      holdout: await foldLists(parts, { device, texts, settings }),
      valid: await listsOf(split, dataset.samples.valid),
      test: await listsOf({ ...split, runs: asked.test }, dataset.samples.test),
    };
  };
  const all = await listsWith(settings);
  const { columns } = all.split.maker.features;
  if (seed === seeds[0] || !sharesRuns) {
    for (const [i, { recommender: { provenance } }] of whole.entries()) {
      const ranks = all.asked.test[i].lists.map(({ items }, row) => {
        const rank = items.indexOf(dataset.samples.test[row].target);
        return rank < 0 ? null : rank;
      });
      add(`${provenance.model} alone`, figuresOf(ranks));
    }
    add(
      "target among the candidates",
      Array(CUTS.length).fill(all.test.targets.length / all.test.samples),
    );
  }
  for (const name of wanted) {
    const { settings: own, without, candidates, from, isMain } = ARMS[name];
    if (seed !== seeds[0] && !isMain) continue;
    const config = { ...settings, ...own };
    const kept = join(values.lists, `${name.replaceAll(" ", "-")}-seed-${seed}.json`);
    if (!await exists(kept)) {
      const others = settings.candidates.filter((source) => source !== candidates);
      const lists = candidates === undefined ? all : await listsWith({ ...settings, candidates: others });
      const learned = from === "valid" ? lists.valid : lists.holdout;
      const standardisation = ablated(columns, learned.standardisation, without);
      const { figures, host } = await trained(
        { ...learned, standardisation },
        from === "valid" ? undefined : lists.valid,
        lists.test,
        columns,
        config,
      );
      const milliseconds = timeAUser(lists.split, lists.asked.test, learned.standardisation, host);
      await writeAtomic(kept, JSON.stringify({ figures, milliseconds }));
    }
    const { figures, milliseconds }: Measured = JSON.parse(await Deno.readTextFile(kept));
    console.error(`seed ${seed}, ${name}: ${figures.map((value) => value.toFixed(4)).join(" ")}`);
    add(name, figures);
    if (name === "ranker") times.push(milliseconds);
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
await writeOut(values.out, values.page, {
  [values.block]: {
    command: [commandLine("bench/results/rank.ts")],
    ...await conditionsNow(device.info.description),
    seeds,
    tables: [table],
    remarks: [
      ...seeds.length > 1
        ? [`Rankers of another make, or without something, are of seed ${seeds[0]} alone.`]
        : [],
      ...sharesRuns ? ["All seeds rank the same runs: they are those of the ranker."] : [],
      ...times.length === 0 ? [] : [
        `Candidates, features and scores take ${
          (times.reduce((a, b) => a + b) / times.length).toFixed(1)
        } ms of processor time a user, beside the lists of the runs.`,
      ],
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

/** A run whose lists are known, which gives them in their order, once. */
type Replayed = Recommender & { lists: RunList[] };

/** The lists of a run for these samples, out of the file `path`, which is made where it is not there. */
async function keptLists(
  run: Recommender,
  samples: readonly Sample[],
  asked: RunListLengths,
  path: string,
): Promise<Replayed> {
  let lists: RunList[] = [];
  if (await exists(path)) {
    lists = JSON.parse(await Deno.readTextFile(path));
  } else {
    const options = { ...asked, beams: asked.k };
    const batch = await run.batchSize(options);
    for (let start = 0; start < samples.length; start += batch) {
      lists.push(...(await askRuns([run], samples.slice(start, start + batch), options)).flat());
    }
    await Deno.mkdir(dirname(path), { recursive: true });
    await writeAtomic(path, JSON.stringify(lists));
  }
  let next = 0;
  const replayed: Pick<Recommender, "scoreUnit" | "scoreItems" | "batchSize" | "recommend" | "destroy"> = {
    destroy() {},
    scoreUnit: run.scoreUnit,
    scoreItems: run.scoreItems,
    batchSize: () => Promise.resolve(samples.length),
    recommend: (requests) =>
      Promise.resolve(requests.map(() => {
        const { items, scores } = lists[next++];
        return items.map((item, i) => ({ name: String(item), items: [item], score: scores[i] }));
      })),
  };
  return { ...replayed, lists } as Replayed;
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
function timeAUser(
  { maker }: RankedSplit,
  runs: readonly Replayed[],
  standardisation: Standardisation,
  host: HostScores,
): number {
  const samples = dataset.samples.test.slice(0, 500);
  const rank = () => {
    for (const [i, { history }] of samples.entries()) {
      const { items, raw } = maker.make({ history, lists: runs.map(({ lists }) => lists[i]) });
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
