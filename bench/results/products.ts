/**
 * What one command makes of any data: `genrec train` on several datasets, and on parts of their users, beside counts and
 * SASRec on the same rows.
 *
 *     deno run -A bench/results/products.ts [--data DIR:3,DIR:10,DIR:30,DIR] [--seed 42] [--runs runs/products]
 *         [--out docs/benchmarks]
 *
 * `DIR:30` is 30 % of the users of DIR. A stage that was stopped goes on, finished ones in `--runs` are not repeated.
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
import { hitsAtK, mean, ndcgAtK, pairedDifference, type Rank } from "../../eval/metrics.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";
import { partOfUsers } from "./part_of_users.ts";
import { differenceCell, ranksOf } from "./ranks.ts";

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
const seed = Number(values.seed);

/** Who is measured, by the folder of its evaluation in that of a dataset. */
const SYSTEMS = { counts: "transitions/eval-test", SASRec: "sasrec/eval-test", product: "train/eval-test" };
/** Epochs of SASRec, of which valid keeps the best: more than it needs on any of these. */
const SASREC_EPOCHS = 20;

const rows: Cell[][] = [];
const raw: Record<string, unknown>[] = [];
for (const spec of values.data.split(",")) {
  const [, dir, percent] = /^(.*?)(?::([\d.]+))?$/.exec(spec)!;
  const name = percent ? `${basename(dir)}, ${percent} % of the users` : basename(dir);
  const home = join(values.runs, percent ? `${basename(dir)}-${percent}` : basename(dir));
  const data = percent ? join(home, "data") : dir;
  if (percent && !await exists(data)) {
    const part = partOfUsers(await loadCorpus(dir), Number(percent), seed);
    await Deno.mkdir(home, { recursive: true });
    const origin = { settings: { of: basename(dir), percent: Number(percent), seed }, inputs: {} };
    await writeFolder(
      data,
      (written) => genrecWriter.files(surveyed(corpusParts(part)), { tokenOrder: "text", origin }, written),
    );
  }
  const minutes = await trained(home, data);
  const ranks = {} as Record<keyof typeof SYSTEMS, Rank[]>;
  for (const [system, folder] of Object.entries(SYSTEMS)) {
    ranks[system as keyof typeof SYSTEMS] = await ranksOf(join(home, folder));
  }
  const { items, samples } = await loadDataset(data);
  const ndcg = (of: Rank[]) => mean(ndcgAtK(of, 10));
  const better = ndcg(ranks.counts) > ndcg(ranks.SASRec) ? ranks.counts : ranks.SASRec;
  const difference = pairedDifference(ndcgAtK(ranks.product, 10), ndcgAtK(better, 10), { seed });
  rows.push([
    name,
    samples.train.length,
    items.length,
    samples.test.length,
    ndcg(ranks.counts),
    ndcg(ranks.SASRec),
    ndcg(ranks.product),
    mean(hitsAtK(ranks.product, 10)),
    Number((ndcg(ranks.product) / ndcg(better)).toFixed(2)),
    differenceCell(difference),
    minutes,
  ]);
  raw.push({ spec: `${basename(dir)}${percent ? `:${percent}` : ""}`, difference });
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
    seeds: [seed],
    tables: [table],
    raw,
  },
});

/** Trains and evaluates what is not there yet. Returns the minutes of `genrec train`. */
async function trained(home: string, data: string): Promise<number> {
  const common = ["--data", data, "--seed", values.seed];
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
  return Math.round(JSON.parse(await Deno.readTextFile(kept)));
}
