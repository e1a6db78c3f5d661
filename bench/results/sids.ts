/**
 * Do SIDs help? One recommender, seed and budget on MiniOneRec's Industrial split, the SIDs alone differ: published
 * indexes, every method of `genrec sid` on text, collaborative and fused embeddings, and random codes.
 *
 *     deno run -A bench/results/sids.ts [--only NAME,NAME] [--seeds 42] [--test] [--text FILE.npy]
 *         [--language FILE.npy] [--sentence FILE.npy] [--runs runs/sids]
 *         [--block indexes] [--out docs/benchmarks]
 *
 * `--language` are vectors of a language model (`genrec embed --provider decoder`), `--sentence` those of a sentence encoder
 * such as MiniLM, of the same texts: a row each where they are there.
 *
 * Tune on valid (the default); `--test` evaluates the test split too, once, when the choice is made. Prints the
 * table, and with `--out` writes it into the page of semantic IDs there, as `--block`. What is finished in `--runs` is not repeated.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatIndex } from "../../data/formats/index_file.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { hitsAtK, mean, ndcgAtK, pairedDifference, type Rank } from "../../eval/metrics.ts";
import { formatSid } from "../../sid/tokens.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";
import { differenceCell, ranksOf } from "./ranks.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "42" },
    test: { type: "boolean", default: false },
    text: { type: "string", default: "" },
    language: { type: "string", default: "" },
    sentence: { type: "string", default: "" },
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    runs: { type: "string", default: "runs/sids" },
    block: { type: "string", default: "indexes" },
    out: { type: "string", default: "" },
  },
});
const { runs, data } = values;
const text = values.text || join(runs, "text.npy");
const collaborative = join(runs, "collaborative.npy");

const INPUTS = {
  text: ["--embeddings", text],
  collaborative: ["--embeddings", collaborative],
  fused: ["--embeddings", text, "--collab", collaborative],
  language: ["--embeddings", values.language],
  sentence: ["--embeddings", values.sentence],
  aligned: ["--embeddings", text, "--collab", collaborative, "--fuse", "none"],
};

/** One way to get an index: a published file, random codes, or `genrec sid` with these flags. */
interface Candidate {
  name: string;
  file?: string;
  flags?: string[];
}

/** Methods with the inputs that they are tried on: all on fused ones, so that rows differ in the method alone; quick ones first. */
const METHODS: Record<string, (keyof typeof INPUTS)[]> = {
  "rqkmeans": [
    "fused",
    "text",
    "collaborative",
    ...values.language === "" ? [] : ["language" as const],
    ...values.sentence === "" ? [] : ["sentence" as const],
  ],
  "rqkmeans-constrained": ["fused", "text", "collaborative"],
  "rqkmeans-balanced": ["fused"],
  "rvq": ["fused"],
  "opq": ["fused"],
  "rqvae": ["fused"],
  "letter": ["aligned"],
  "rqvae-v2": ["fused"],
  "rqkmeans-plus": ["fused"],
};

const candidates: Candidate[] = [
  { name: "published RQ-VAE", file: join(data, "index.json") },
  { name: "published constrained", file: join(data, "index.constrained.json") },
  { name: "random" },
  ...Object.entries(METHODS).flatMap(([method, inputs]) =>
    inputs.map((input) => ({ name: `${method} ${input}`, flags: [...INPUTS[input], "--method", method] }))
  ),
];

/** Ranks of the target, one a user. */
interface Scored {
  name: string;
  seed: number;
  valid: Rank[];
  test?: Rank[];
  report?: {
    levels: { used: number; usage: number }[];
    collisionRate: number;
    beforePolicy: { collisionRate: number };
  };
}

const wanted = values.only === "" ? undefined : values.only.split(",").map((name) => name.trim());
const unknown = wanted?.filter((name) => !candidates.some((candidate) => candidate.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(", ")}. Known are ${candidates.map(({ name }) => name).join(", ")}`);
  Deno.exit(2);
}
const seeds = values.seeds.split(",").map(Number);
await Deno.mkdir(runs, { recursive: true });
const scored: Scored[] = [];
for (const candidate of candidates) {
  for (const seed of seeds) {
    const run = join(runs, `${candidate.name.replaceAll(" ", "-")}-seed-${seed}`);
    const chosen = wanted === undefined || wanted.includes(candidate.name);
    if (chosen) await trainAndEvaluate(candidate, seed, run);
    if (!await exists(join(run, "valid", "metrics.json"))) continue;
    const reportFile = join(run, "sids", "sid.report.json");
    scored.push({
      name: candidate.name,
      seed,
      valid: await ranksOf(join(run, "valid")),
      ...(await exists(join(run, "test", "metrics.json")) ? { test: await ranksOf(join(run, "test")) } : {}),
      ...(await exists(reportFile) ? { report: JSON.parse(await Deno.readTextFile(reportFile)) } : {}),
    });
  }
}
const results = table();
console.log(tableText(results));
await writeOut(values.out, "semantic_ids", {
  [values.block]: {
    command: [commandLine("bench/results/sids.ts")],
    ...await conditionsNow(),
    seeds,
    tables: [results],
    raw: scored.map(summaryOf),
  },
});

async function trainAndEvaluate(candidate: Candidate, seed: number, run: string): Promise<void> {
  const sids = join(run, "sids");
  const model = join(run, "model");
  if (!await exists(join(sids, "index.json"))) await makeIndex(candidate, sids);
  if (!await exists(join(run, "valid", "metrics.json"))) {
    await runGenrec([
      "sft",
      ...["--config", "configs/sid-comparison.yaml", "--data", data, "--sids", join(sids, "index.json")],
      ...["--seed", String(seed), "--out", model],
      ...(await exists(join(model, "config.json")) ? ["--resume"] : []),
    ]);
  }
  for (const split of values.test ? ["valid", "test"] : ["valid"]) {
    const folder = join(run, split);
    if (await exists(join(folder, "metrics.json"))) continue;
    await runGenrec([
      "evaluate",
      "--run",
      model,
      "--data",
      data,
      "--split",
      split,
      "--beams",
      "50",
      "--out",
      folder,
    ]);
  }
}

async function makeIndex({ file, flags }: Candidate, folder: string): Promise<void> {
  if (flags) {
    for (const [provider, path] of [["static", text], ["collaborative", collaborative]]) {
      if (flags.includes(path) && !await exists(path)) {
        await runGenrec(["embed", "--data", data, "--provider", provider, "--out", path]);
      }
    }
    await runGenrec(["sid", ...flags, "--data", data, "--out", folder]);
    return;
  }
  await Deno.mkdir(folder, { recursive: true });
  const index = file === undefined ? randomIndex(await itemCount()) : await Deno.readTextFile(file);
  await Deno.writeTextFile(join(folder, "index.json"), index);
}

/** Unique SIDs of three codes of 256, drawn at random: what an index without any meaning is worth. */
function randomIndex(items: number): string {
  const random = new PhiloxStream(42, "random SIDs");
  const taken = new Set<string>();
  while (taken.size < items) {
    taken.add(formatSid([0, 1, 2].map(() => Math.floor(256 * random.uniform()))).join(" "));
  }
  return formatIndex([...taken].map((sid) => sid.split(" ")));
}

async function itemCount(): Promise<number> {
  return Object.keys(JSON.parse(await Deno.readTextFile(join(data, "index.json")))).length;
}

/** Figures alone: a report has lists by item too, which make megabytes. */
function summaryOf({ name, seed, valid, test, report }: Scored) {
  const scores = (ranks: Rank[]) => ({ hr10: mean(hitsAtK(ranks, 10)), ndcg10: mean(ndcgAtK(ranks, 10)) });
  const { levels, collisionRate, beforePolicy } = report ?? {};
  const sids = report && { levels, collisionRate, collisionRateBeforePolicy: beforePolicy?.collisionRate };
  return { name, seed, valid: scores(valid), ...(test ? { test: scores(test) } : {}), sids };
}

function table(): Table {
  const split = values.test ? "test" : "valid";
  const baseline = scored.filter(({ name }) => name === candidates[0].name);
  const rows = candidates.flatMap(({ name }): Cell[][] => {
    const own = scored.filter((one) => one.name === name && one[split]);
    if (own.length === 0) return [];
    const average = (metric: (ranks: Rank[], k: number) => Float64Array, of: "valid" | "test") =>
      own.every((one) => one[of])
        ? own.reduce((sum, one) => sum + mean(metric(one[of]!, 10)), 0) / own.length
        : "";
    const pairs = own.flatMap((one) => {
      const other = baseline.find(({ seed }) => seed === one.seed);
      return other?.[split] && other !== one ? [[one[split]!, other[split]!]] : [];
    });
    const all = (side: number) => Float64Array.from(pairs.flatMap((pair) => [...ndcgAtK(pair[side], 10)]));
    const { report } = own[0];
    return [[
      name,
      own.length,
      ...(["valid", "test"] as const).flatMap((of) => [average(hitsAtK, of), average(ndcgAtK, of)]),
      pairs.length === 0 ? "" : differenceCell(pairedDifference(all(0), all(1), { seed: 42 })),
      report ? `${(100 * report.beforePolicy.collisionRate).toFixed(2)} %` : "",
      report ? report.levels.map(({ used }) => used).join("/") : "",
    ]];
  });
  const shares = ["valid HR@10", "valid NDCG@10", "test HR@10", "test NDCG@10"];
  return {
    columns: [
      { name: "index" },
      { name: "seeds" },
      ...[...shares, `${split} NDCG@10 against ${candidates[0].name}`].map((name) => ({
        name,
        format: "share" as const,
      })),
      { name: "collisions as coded" },
      { name: "codewords used" },
    ],
    rows,
  };
}
