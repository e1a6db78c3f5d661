/**
 * Do the alignment tasks help? One small decoder from scratch with the real Qwen2.5 tokenizer on MiniOneRec's Industrial
 * split, trained on next items alone and on all tasks with the same number of next-item rows:
 *
 *     deno run -A bench/results/alignment.ts [--arms NAME,NAME] [--seeds 42,43,44] [--test] [--sft="--hidden-size 64"]
 *         [--runs runs/alignment] [--out docs/benchmarks]
 *
 * Tune on valid (the default); `--test` evaluates the test split too, once. `--reference DIR,DIR` names evaluations of
 * another model, such as those of bench/results/industrial.ts, as a further row. Prints the table, and with
 * `--out` writes it into the page of language models there. What is finished in `--runs` is not repeated, what was
 * stopped goes on.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hitsAtK, mean, ndcgAtK, pairedDifference, type Rank } from "../../eval/metrics.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, spreadOf, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";
import { differenceCell, ranksOf } from "./ranks.ts";

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
    runs: { type: "string", default: "runs/alignment" },
    out: { type: "string", default: "" },
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
    const run = join(values.runs, `${arm.replaceAll(" ", "-")}-seed-${seed}`);
    if (wanted.includes(arm)) await trainAndEvaluate(run, seed, flags);
    if (!await exists(join(run, split, "metrics.json"))) continue;
    scored.push({ arm, seed, ranks: await ranksOf(join(run, split)), ...await trainingOf(run) });
  }
}
for (const [i, folder] of values.reference.split(",").filter((path) => path !== "").entries()) {
  const ranks = await ranksOf(folder);
  scored.push({ arm: "SIDs without text", seed: seeds[i], ranks, minutes: NaN, taskLoss: {} });
}
const results = table();
const remarks = scored.flatMap(({ arm, seed, taskLoss }) => {
  const losses = Object.entries(taskLoss).map(([task, loss]) => `${task} ${loss.toFixed(2)}`);
  return losses.length === 0
    ? []
    : [`${arm}, seed ${seed}, last training loss by task: ${losses.join(", ")}`];
});
console.log([tableText(results), ...remarks].join("\n\n"));
await writeOut(values.out, "language_models", {
  [`alignment-${split}`]: {
    command: [commandLine("bench/results/alignment.ts")],
    ...await conditionsNow(),
    seeds,
    tables: [results],
    remarks,
  },
});

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

function table(): Table {
  const arms = [...new Set(scored.map(({ arm }) => arm))];
  const metrics = [hitsAtK, ndcgAtK];
  const rows = arms.map((arm): Cell[] => {
    const own = scored.filter((one) => one.arm === arm);
    const pairs = own.flatMap(({ seed, ranks }) => {
      const other = scored.find((one) => one.arm === arms[0] && one.seed === seed);
      return other && arm !== arms[0] ? [[ranks, other.ranks]] : [];
    });
    const all = (side: number) => Float64Array.from(pairs.flatMap((pair) => [...ndcgAtK(pair[side], 10)]));
    const minutes = own.map(({ minutes }) => minutes).filter((value) => !isNaN(value));
    return [
      arm,
      ...[5, 10].flatMap((k) =>
        metrics.map((metric) => spreadOf(own.map(({ ranks }) => mean(metric(ranks, k)))))
      ),
      pairs.length === 0 ? "" : differenceCell(pairedDifference(all(0), all(1), { seed: 42 })),
      minutes.map((value) => value.toFixed(0)).join(", "),
    ];
  });
  return {
    columns: [
      { name: split },
      ...["HR@5", "NDCG@5", "HR@10", "NDCG@10"].map((name) => ({ name, format: "share" as const })),
      { name: `NDCG@10 against ${arms[0]}`, format: "share" },
      { name: "minutes" },
    ],
    rows,
  };
}
