/**
 * The main result: trains `configs/industrial-small.yaml` on MiniOneRec's Industrial split with several seeds and
 * evaluates every test row, with the baselines and the mixture in the same report. Run on a quiet machine:
 *
 *     deno run -A bench/results/industrial.ts [--seeds 42,43,44] [--data DIR] [--out runs/industrial] [--weight 0.3]
 *
 * Writes OUT/industrial.json and prints the Markdown table of BENCHMARKS.md. A run that was stopped goes on; finished ones are not repeated.
 */
import { parseArgs } from "node:util";
import type { Evaluation } from "../../eval/evaluate.ts";
import { exists, runGenrec } from "./command.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "42,43,44" },
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    out: { type: "string", default: "runs/industrial" },
    weight: { type: "string", default: "0.3" },
    split: { type: "string", default: "test" },
  },
});

/** What `evaluate` writes to metrics.json. */
type EvaluateReport = Evaluation & { mixture?: Evaluation; baselines?: Record<string, Evaluation> };

interface Row {
  name: string;
  hr5: number[];
  ndcg5: number[];
  hr10: number[];
  ndcg10: number[];
  ci: string;
}

const seeds = values.seeds.split(",").map(Number);
const reports: { seed: number; seconds: number; report: EvaluateReport }[] = [];
for (const seed of seeds) {
  const run = `${values.out}/seed-${seed}`;
  const results = `${run}/eval-${values.split}`;
  if (!await exists(`${results}/metrics.json`)) {
    await runGenrec([
      "sft",
      ...["--config", "configs/industrial-small.yaml", "--data", values.data, "--out", run],
      ...["--seed", String(seed)],
      ...(await exists(`${run}/config.json`) ? ["--resume"] : []),
    ]);
    await runGenrec([
      "evaluate",
      ...["--run", run, "--data", values.data, "--split", values.split, "--beams", "50"],
      ...["--mixture", values.weight, "--baselines", "--out", results],
    ]);
  }
  const report = JSON.parse(await Deno.readTextFile(`${results}/metrics.json`)) as EvaluateReport;
  reports.push({ seed, seconds: await trainingSeconds(run), report });
}

const rows: Row[] = [];
for (const { report } of reports.slice(0, 1)) {
  for (const [name, baseline] of Object.entries(report.baselines ?? {})) {
    rows.push(rowOf(name, [baseline]));
  }
}
rows.push(rowOf("genrec decoder", reports.map(({ report }) => report)));
rows.push(rowOf(`mixed with transitions, ${values.weight}`, reports.map(({ report }) => report.mixture!)));

const lines = [
  "| system | HR@5 | NDCG@5 | HR@10 | NDCG@10 | 95 % interval of HR@10, NDCG@10 |",
  "|---|---|---|---|---|---|",
  ...rows.map(({ name, hr5, ndcg5, hr10, ndcg10, ci }) =>
    `| ${name} | ${[hr5, ndcg5, hr10, ndcg10].map(meanOf).join(" | ")} | ${ci} |`
  ),
];
const invalid = reports.reduce((sum, { report }) => sum + report.invalid + report.duplicates, 0);
console.log(lines.join("\n"));
console.log(
  `\nSeeds ${seeds.join(", ")}; ${
    reports[0].report.users
  } users; invalid or doubled predictions: ${invalid}; ` +
    `training ${reports.map(({ seconds }) => (seconds / 60).toFixed(1)).join(", ")} minutes; ` +
    `evaluation ${
      reports.map(({ report }) => (report.secondsPerUser * 1000).toFixed(1)).join(", ")
    } ms a user`,
);
await Deno.writeTextFile(`${values.out}/industrial.json`, JSON.stringify(reports, null, 2) + "\n");

type Scores = Pick<EvaluateReport, "hr" | "ndcg" | "ci95">;

function rowOf(name: string, scores: Scores[]): Row {
  const pick = (metric: "hr" | "ndcg", k: string) => scores.map((score) => score[metric][k]);
  // The interval of the first seed: that of the users, which is wider than the spread of seeds.
  const interval = (metric: "hr" | "ndcg") => scores[0].ci95[metric]["10"].map((v) => v.toFixed(4)).join("-");
  return {
    name,
    hr5: pick("hr", "5"),
    ndcg5: pick("ndcg", "5"),
    hr10: pick("hr", "10"),
    ndcg10: pick("ndcg", "10"),
    ci: `${interval("hr")}, ${interval("ndcg")}`,
  };
}

// Mean and spread over seeds.
function meanOf(values: number[]): string {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  if (values.length === 1) return mean.toFixed(4);
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
  return `${mean.toFixed(4)} +- ${deviation.toFixed(4)}`;
}

async function trainingSeconds(run: string): Promise<number> {
  const lines = (await Deno.readTextFile(`${run}/metrics.jsonl`)).trim().split("\n");
  return Math.max(...lines.map((line) => JSON.parse(line).seconds ?? 0));
}
