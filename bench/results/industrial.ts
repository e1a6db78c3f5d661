/**
 * The main result: trains `configs/industrial-small.yaml` on MiniOneRec's Industrial split with several seeds and
 * evaluates every test row, with the baselines and the mixture in the same report. Run on a quiet machine:
 *
 *     deno run -A bench/results/industrial.ts [--seeds 42,43,44] [--data DIR] [--weight 0.3]
 *         [--runs runs/industrial] [--out docs/benchmarks]
 *
 * Prints the table, and with `--out` writes it into the page of Industrial there. A run that was stopped goes on; finished
 * ones in `--runs` are not repeated.
 */
import { parseArgs } from "node:util";
import type { Evaluation } from "../../eval/evaluate.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, digits, spreadOf, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "42,43,44" },
    data: {
      type: "string",
      default: `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/minionerec-industrial`,
    },
    runs: { type: "string", default: "runs/industrial" },
    out: { type: "string", default: "" },
    weight: { type: "string", default: "0.3" },
    split: { type: "string", default: "test" },
  },
});

/** What `evaluate` writes to metrics.json. */
type EvaluateReport = Evaluation & { mixture?: Evaluation; baselines?: Record<string, Evaluation> };

const seeds = values.seeds.split(",").map(Number);
const reports: { seed: number; seconds: number; report: EvaluateReport }[] = [];
for (const seed of seeds) {
  const run = `${values.runs}/seed-${seed}`;
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

const METRICS = [["HR@5", "hr", "5"], ["NDCG@5", "ndcg", "5"], ["HR@10", "hr", "10"], [
  "NDCG@10",
  "ndcg",
  "10",
]] as const;
const first = reports[0].report;
const ours = reports.map(({ report }) => report);
const table: Table = {
  columns: [
    { name: "system" },
    ...METRICS.map(([name]) => ({ name, format: "share" as const })),
    { name: "95 % interval of HR@10, NDCG@10" },
  ],
  rows: [
    ...Object.entries(first.baselines ?? {}).map(([name, baseline]) => rowOf(name, [baseline])),
    rowOf("genrec decoder, mean", ours),
    ...(seeds.length === 1 ? [] : [[
      `seed ${seeds.join(", ")}`,
      ...METRICS.map(([, metric, k]) => ours.map((scores) => scores[metric][k])),
      "",
    ]]),
    rowOf(
      `mixed with transitions, ${String(Number(values.weight)).replace(/^0/, "")}`,
      ours.map(({ mixture }) => mixture!),
    ),
  ],
};
const remarks = [
  `${first.users} users, ${first.beams} beams; ${
    ours.map(({ invalid }) => invalid).join(", ")
  } invalid and ` +
  `${ours.map(({ duplicates }) => duplicates).join(", ")} doubled predictions`,
  `training ${reports.map(({ seconds }) => (seconds / 60).toFixed(1)).join(", ")} minutes; evaluation ` +
  `${ours.map(({ secondsPerUser }) => (secondsPerUser * 1000).toFixed(1)).join(", ")} ms a user`,
];
console.log([tableText(table), ...remarks].join("\n\n"));
await writeOut(values.out, "industrial", {
  main: {
    command: [commandLine("bench/results/industrial.ts")],
    ...await conditionsNow(),
    seeds,
    tables: [table],
    remarks,
    raw: reports,
  },
});

type Scores = Pick<EvaluateReport, "hr" | "ndcg" | "ci95">;

/** Means over seeds; the interval is that of the first seed's users, which is wider than the spread of seeds. */
function rowOf(name: string, scores: Scores[]): Cell[] {
  const interval = (metric: "hr" | "ndcg") => scores[0].ci95[metric]["10"].map(digits).join("-");
  return [
    name,
    ...METRICS.map(([, metric, k]) => spreadOf(scores.map((score) => score[metric][k]))),
    `${interval("hr")}, ${interval("ndcg")}`,
  ];
}

async function trainingSeconds(run: string): Promise<number> {
  const lines = (await Deno.readTextFile(`${run}/metrics.jsonl`)).trim().split("\n");
  return Math.max(...lines.map((line) => JSON.parse(line).seconds ?? 0));
}
