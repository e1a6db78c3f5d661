/**
 * Does reinforcement help, and with which reward? Decoders of configs/industrial-small.yaml on MiniOneRec's Industrial
 * split, each reinforced in several ways and compared with itself before:
 *
 *     deno run -A bench/results/reinforcement.ts --sft "runs/industrial/seed-{seed}" --sasrec runs/sasrec \
 *       [--ranker "runs/rank-{seed}"] [--arms NAME,NAME] [--seeds 42,43,44] [--rl="--max-steps 100"] [--test]
 *       [--runs runs/reinforcement] [--block arms-test] [--out docs/benchmarks]
 *
 * Tune on valid (the default); `--test` evaluates the test split, once. Writes what `genrec compare` writes, prints its
 * table, and with `--out` writes it into the page of reinforcement there, as `--block`. Runs on other data do too. What is finished in `--runs` is not repeated,
 * what was stopped goes on.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mean } from "../../eval/metrics.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";
import { differenceCell } from "./ranks.ts";

const { values } = parseArgs({
  options: {
    sft: { type: "string", default: "runs/industrial/seed-{seed}" },
    sasrec: { type: "string", default: "runs/sasrec" },
    ranker: { type: "string", default: "runs/rank-{seed}" },
    arms: { type: "string", default: "" },
    seeds: { type: "string", default: "42,43,44" },
    rl: { type: "string", default: "" },
    test: { type: "boolean", default: false },
    runs: { type: "string", default: "runs/reinforcement" },
    block: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});

/** As long and as fast for all rewards of the target; chosen on valid. */
const SHORT = [
  ...["--prompts-per-step", "32", "--max-steps", "100", "--learning-rate", "1e-4", "--beta", "0.01"],
  ...["--eval-steps", "50", "--eval-samples", "1500", "--patience", "0"],
];

/** Half of a group begins with a token of the target. */
const GUIDED = ["--rollout", "sample", "--guided-answers", "8", "--loss", "clipped"];

/** Flags of `genrec rl` by arm. */
const ARMS: Record<string, string[]> = {
  "rule": [...SHORT, "--reward", "rule"],
  "ranking": [...SHORT, "--reward", "rule,ranking"],
  "ndcg": [...SHORT, "--reward", "ndcg", "--loss", "dr-grpo"],
  "sample": [...SHORT, "--reward", "rule", "--rollout", "sample"],
  "sample-different": [...SHORT, "--reward", "rule", "--rollout", "sample", "--no-replacement"],
  // V-STAR's parts (arXiv:2602.10699), one by one and all.
  "siblings": [...SHORT, "--reward", "rule,prefix", "--advantages", "sibling"],
  "normalised": [...SHORT, "--reward", "rule,prefix", "--reward-normalisation", "group"],
  "guided": [...SHORT, ...GUIDED, "--reward", "rule"],
  "v-star": [
    ...[...SHORT, ...GUIDED, "--reward", "rule,prefix"],
    ...["--advantages", "sibling", "--reward-normalisation", "group"],
  ],
  "collaborative-siblings": [
    ...["--config", "configs/industrial-small-rl.yaml", "--advantages", "sibling"],
    ...["--collaborative", `transitions,${values.sasrec}`],
  ],
  "collaborative": [
    ...["--config", "configs/industrial-small-rl.yaml"],
    ...["--collaborative", `transitions,${values.sasrec}`],
  ],
  "taught": ["--config", "configs/taught-rl.yaml", "--collaborative", values.ranker],
};

/** Keys of `compare.json` that name folders of this machine. */
const PATHS = new Set(["folder", "run"]);

const split = values.test ? "test" : "valid";
const wanted = values.arms === "" ? Object.keys(ARMS) : values.arms.split(",");
const evals: string[] = [];
/** Shares of the groups of a step without any reward, by arm: one for each line of the logs of its seeds. */
const unrewarded = new Map<string, number[]>();
for (const seed of values.seeds.split(",")) {
  const sft = values.sft.replace("{seed}", seed);
  evals.push(await evaluated(sft, `sft-seed-${seed}`));
  for (const arm of wanted) {
    const run = join(values.runs, `${arm}-seed-${seed}`);
    if (!await exists(join(run, "verdict.json"))) {
      await runGenrec([
        ...["rl", ...ARMS[arm].map((flag) => flag.replace("{seed}", seed))],
        ...values.rl.split(" ").filter(Boolean),
        ...["--run", sft, "--seed", seed, "--out", run],
        ...(await exists(join(run, "config.json")) ? ["--resume"] : []),
      ]);
    }
    evals.push(await evaluated(run, `${arm}-seed-${seed}`));
    unrewarded.set(arm, [...unrewarded.get(arm) ?? [], ...await unrewardedOf(run)]);
  }
}
await runGenrec([
  ...["compare", "--evals", evals.join(","), "--baseline", "sft", "--ks", "5,10"],
  ...["--out", join(values.runs, `compare-${split}`)],
]);

const report: SystemsReport = JSON.parse(
  await Deno.readTextFile(join(values.runs, `compare-${split}`, "compare.json")),
);
const results = tableOf(report);
console.log(tableText(results));
await writeOut(values.out, "reinforcement", {
  [values.block || `arms-${split}`]: {
    command: [commandLine("bench/results/reinforcement.ts")],
    ...await conditionsNow(),
    seeds: values.seeds.split(",").map(Number),
    tables: [results],
    raw: JSON.parse(JSON.stringify(report.systems, (key, value) => PATHS.has(key) ? undefined : value)),
  },
});

/** As much of `compare.json` as the page shows. */
interface SystemsReport {
  systems: {
    name: string;
    hr: Record<string, { mean: number; deviation: number | null }>;
    ndcg: Record<string, { mean: number; deviation: number | null }>;
    comparison: { ndcg: Record<string, { difference: number; ci95: [number, number] }> } | null;
  }[];
}

function tableOf({ systems }: SystemsReport): Table {
  const metrics = [["HR@5", "hr", "5"], ["NDCG@5", "ndcg", "5"], ["HR@10", "hr", "10"], [
    "NDCG@10",
    "ndcg",
    "10",
  ]] as const;
  return {
    columns: [
      { name: split },
      ...[...metrics.map(([name]) => name), "NDCG@10 less sft's"].map((name) => ({
        name,
        format: "share" as const,
      })),
      { name: "groups without any reward" },
    ],
    rows: systems.map((system): Cell[] => [
      system.name,
      ...metrics.map(([, metric, k]) => {
        const { mean, deviation } = system[metric][k];
        return deviation === null ? mean : { mean, deviation };
      }),
      system.comparison === null ? "" : differenceCell(system.comparison.ndcg["10"]),
      unrewarded.has(system.name)
        ? `${(100 * mean(Float64Array.from(unrewarded.get(system.name)!))).toFixed()} %`
        : "",
    ]),
  };
}

async function unrewardedOf(run: string): Promise<number[]> {
  const lines = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trim().split("\n");
  return lines.map((line) => JSON.parse(line).unrewarded).filter((share) => share !== undefined);
}

/** Folder of the evaluation of a run, made if it is not there. */
async function evaluated(run: string, name: string): Promise<string> {
  const folder = join(values.runs, `eval-${split}`, name);
  if (!await exists(join(folder, "metrics.json"))) {
    await runGenrec(["evaluate", "--run", run, "--split", split, "--beams", "50", "--out", folder]);
  }
  return folder;
}
