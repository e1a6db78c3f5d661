/**
 * Do the alignment tasks help? One small decoder from scratch with the real Qwen2.5 tokenizer on MiniOneRec's Industrial
 * split, trained on next items alone and on all tasks with the same number of next-item rows:
 *
 *     deno run -A bench/results/alignment.ts [--arms NAME,NAME] [--seeds 42,43,44] [--test] [--sft="--hidden-size 64"] [--out runs/alignment]
 *
 * Tune on valid (the default); `--test` evaluates the test split too, once. `--reference DIR,DIR` names evaluations of
 * another model, such as those of bench/results/industrial.ts, as a further row. Prints the Markdown table of BENCHMARKS.md. What
 * is finished is not repeated, what was stopped goes on.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hitsAtK, mean, ndcgAtK, pairedDifference, type Rank } from "../../eval/metrics.ts";
import { exists, runGenrec } from "./command.ts";
import { digits, signedDigits } from "../pages/page.ts";
import { ranksOf } from "./ranks.ts";

const shared = Deno.env.get("GENREC_DATA") ?? "../shared/data";
const { values } = parseArgs({
  options: {
    arms: { type: "string", default: "" },
    seeds: { type: "string", default: "42,43,44" },
    test: { type: "boolean", default: false },
    sft: { type: "string", default: "" },
    reference: { type: "string", default: "" },
    data: { type: "string", default: `${shared}/minionerec-industrial` },
    tokenizer: { type: "string", default: `${shared}/qwen2.5-tokenizer` },
    out: { type: "string", default: "runs/alignment" },
  },
});

/** Settings besides those of the config, by arm; the first is what the others are compared with. */
const ARMS: Record<string, string[]> = {
  "next item alone": ["--tasks", "next-item"],
  "all tasks": [],
};

interface Scored {
  arm: string;
  seed: number;
  ranks: Rank[];
  minutes: number;
  taskLoss: Record<string, number>;
}

const split = values.test ? "test" : "valid";
const seeds = values.seeds.split(",").map(Number);
const wanted = values.arms === "" ? Object.keys(ARMS) : values.arms.split(",");
const scored: Scored[] = [];
for (const seed of seeds) {
  for (const [arm, flags] of Object.entries(ARMS)) {
    const run = join(values.out, `${arm.replaceAll(" ", "-")}-seed-${seed}`);
    if (wanted.includes(arm)) await trainAndEvaluate(run, seed, flags);
    if (!await exists(join(run, split, "metrics.json"))) continue;
    scored.push({ arm, seed, ranks: await ranksOf(join(run, split)), ...await trainingOf(run) });
  }
}
for (const [i, folder] of values.reference.split(",").filter((path) => path !== "").entries()) {
  const ranks = await ranksOf(folder);
  scored.push({ arm: "SIDs without text", seed: seeds[i], ranks, minutes: NaN, taskLoss: {} });
}
console.log(table().join("\n"));
for (const { arm, seed, taskLoss } of scored) {
  const losses = Object.entries(taskLoss).map(([task, loss]) => `${task} ${loss.toFixed(2)}`);
  if (losses.length > 0) {
    console.log(`\n${arm}, seed ${seed}, last training loss by task: ${losses.join(", ")}`);
  }
}

async function trainAndEvaluate(run: string, seed: number, flags: string[]): Promise<void> {
  const { data, tokenizer } = values;
  if (!await exists(join(run, split, "metrics.json"))) {
    await runGenrec([
      "sft",
      ...["--config", "configs/industrial-tasks-small.yaml", "--data", data, "--tokenizer", tokenizer],
      ...[...flags, ...values.sft.split(" ").filter(Boolean), "--seed", String(seed), "--out", run],
      ...(await exists(join(run, "config.json")) ? ["--resume"] : []),
    ]);
    await runGenrec([
      "evaluate",
      ...["--run", run, "--data", data, "--split", split, "--beams", "50", "--out", join(run, split)],
    ]);
  }
}

/** Minutes of a run, and the last loss of each task. */
async function trainingOf(run: string): Promise<{ minutes: number; taskLoss: Record<string, number> }> {
  const lines = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trim().split("\n")
    .map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined);
  const { seconds, taskLoss = {} } = lines.at(-1)!;
  return { minutes: seconds / 60, taskLoss };
}

function table(): string[] {
  const arms = [...new Set(scored.map(({ arm }) => arm))];
  const rows = arms.map((arm) => {
    const own = scored.filter((one) => one.arm === arm);
    const spread = (metric: (ranks: Rank[]) => Float64Array) => {
      const means = own.map(({ ranks }) => mean(metric(ranks)));
      const average = means.reduce((a, b) => a + b, 0) / means.length;
      if (means.length < 2) return digits(average);
      const variance = means.reduce((sum, value) => sum + (value - average) ** 2, 0) / (means.length - 1);
      return `${digits(average)} +- ${digits(Math.sqrt(variance))}`;
    };
    const pairs = own.flatMap(({ seed, ranks }) => {
      const other = scored.find((one) => one.arm === arms[0] && one.seed === seed);
      return other && arm !== arms[0] ? [[ranks, other.ranks]] : [];
    });
    const all = (side: number) => Float64Array.from(pairs.flatMap((pair) => [...ndcgAtK(pair[side], 10)]));
    const paired = pairs.length === 0 ? undefined : pairedDifference(all(0), all(1), { seed: 42 });
    const minutes = own.map(({ minutes }) => minutes).filter((value) => !isNaN(value));
    return [
      arm,
      String(own.length),
      spread((ranks) => hitsAtK(ranks, 5)),
      spread((ranks) => ndcgAtK(ranks, 5)),
      spread((ranks) => hitsAtK(ranks, 10)),
      spread((ranks) => ndcgAtK(ranks, 10)),
      paired ? `${signedDigits(paired.difference)} [${paired.ci95.map(signedDigits).join(", ")}]` : "",
      minutes.map((value) => value.toFixed(0)).join(", "),
    ];
  });
  const header = [
    split,
    "seeds",
    "HR@5",
    "NDCG@5",
    "HR@10",
    "NDCG@10",
    `NDCG@10 against ${arms[0]}`,
    "minutes",
  ];
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}
