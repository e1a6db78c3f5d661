/**
 * What pretraining on text is worth: one language model on MiniOneRec's Industrial split, with its weights and from
 * scratch, equal in shape, tokens and steps; on next items alone and on all tasks; whole, by adapters, and frozen but for the
 * rows of the index:
 *
 *     deno run -A bench/results/pretraining.ts --model SmolLM2-135M-Instruct [--layers 4,8] [--arms "NAME;NAME"] [--seeds 42,43]
 *         [--sft="--max-steps 500"] [--test] [--runs runs/pretraining] [--out docs/benchmarks]
 *
 * Its first `--layers` blocks are taken, or, without, all of them. Figures are those of the validations of each training, at
 * the best step; `--test` evaluates the test split besides, once. What is finished in `--runs` is not repeated, and `--report`
 * shows what is finished and trains nothing.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type RankMetric, userMeans, type UserRanks } from "../../eval/compare.ts";
import { hitsAtK, mean, ndcgAtK } from "../../eval/metrics.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { type Cell, digits, spreadOf, type Table, tableText } from "../pages/page.ts";
import { exists, runGenrec } from "./command.ts";
import { cutModel } from "./cut_model.ts";
import { userRanksOf } from "./ranks.ts";
import { type Scored, verdicts } from "./pretraining_verdict.ts";

const shared = Deno.env.get("GENREC_DATA") ?? "../shared/data";
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    layers: { type: "string", default: "" },
    arms: { type: "string", default: "" },
    seeds: { type: "string", default: "42" },
    sft: { type: "string", default: "" },
    test: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    data: { type: "string", default: `${shared}/minionerec-industrial` },
    runs: { type: "string", default: "runs/pretraining" },
    out: { type: "string", default: "" },
  },
});

const ALONE = ["--tasks", "next-item"];
/** Flags besides those of the config, by arm. */
const ARMS: Record<string, string[]> = {
  "pretrained": ALONE,
  "from scratch": [...ALONE, "--from-scratch"],
  "pretrained, all tasks": [],
  "from scratch, all tasks": ["--from-scratch"],
  "adapters": [...ALONE, "--lora-r", "16"],
  "frozen base": [...ALONE, "--freeze", "llm"],
};

const seeds = values.seeds.split(",").map(Number);
const arms = values.arms === "" ? Object.keys(ARMS) : values.arms.split(";");
const cuts = values.layers === "" ? [0] : values.layers.split(",").map(Number);
const scored: Scored[] = [];
for (const layers of cuts) {
  const model = layers === 0 ? values.model : join(values.runs, `model-${layers}`);
  if (layers > 0 && !values.report && !await exists(join(model, "config.json"))) {
    await cutModel(values.model, layers, model);
  }
  for (const seed of seeds) {
    for (const arm of arms) {
      const run = join(values.runs, `${layers || "all"}-${arm.replaceAll(/[ ,]+/g, "-")}-seed-${seed}`);
      if (!await exists(join(run, "ended"))) {
        if (values.report) continue;
        await train(model, run, arm, seed);
      }
      const isTested = values.test || await exists(join(run, "test/metrics.json"));
      const test = isTested ? await tested(run) : undefined;
      scored.push({ layers, arm, seed, ...await bestOf(run), test });
    }
  }
}
const results = table();
const remarks = verdicts(scored);
console.log([tableText(results), ...remarks].join("\n\n"));
await writeOut(values.out, "language_models", {
  pretraining: {
    command: [commandLine("bench/results/pretraining.ts")],
    ...await conditionsNow(),
    seeds,
    tables: [results],
    remarks,
    raw: scored.map(({ layers, arm, seed, curve }) => ({ layers, arm, seed, curve })),
  },
});

async function train(model: string, run: string, arm: string, seed: number): Promise<void> {
  await runGenrec([
    ...["sft", "--config", "configs/smollm2/industrial-135m.yaml", "--model", model, "--data", values.data],
    ...[...ARMS[arm], ...values.sft.split(" ").filter(Boolean), "--seed", String(seed), "--out", run],
    ...await exists(join(run, "config.json")) ? ["--resume"] : [],
  ]);
  await Deno.writeTextFile(join(run, "ended"), "");
}

/** Places of the targets of the test split. */
async function tested(run: string): Promise<UserRanks> {
  const out = join(run, "test");
  if (!await exists(join(out, "metrics.json"))) {
    await runGenrec([
      "evaluate",
      "--run",
      run,
      "--data",
      values.data,
      "--split",
      "test",
      "--beams",
      "50",
      "--out",
      out,
    ]);
  }
  return await userRanksOf(out);
}

/** The validations of a run, and the best of them. */
async function bestOf(run: string): Promise<Pick<Scored, "curve" | "hr10" | "ndcg10" | "minutes">> {
  const lines = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  const curve = lines.filter(({ valid }) => valid !== undefined)
    .map(({ step, valid: { hr10, ndcg10, loss } }) => ({ step, hr10, ndcg10, loss }));
  const best = curve.reduce((best, one) => one.ndcg10 > best.ndcg10 ? one : best);
  const { seconds } = lines.findLast(({ seconds }) => seconds !== undefined);
  return { curve, hr10: best.hr10, ndcg10: best.ndcg10, minutes: seconds / 60 };
}

function table(): Table {
  const groups = Map.groupBy(scored, ({ layers, arm }) => `${layers} ${arm}`);
  const tested10 = (metric: RankMetric) => ({ test }: Scored) => test && mean(userMeans([test], metric, 10));
  const rows = [...groups.values()].map((own): Cell[] => {
    const [{ layers, arm, curve }] = own;
    const spread = (of: (one: Scored) => number | undefined) => {
      const found = own.map(of).filter((value) => value !== undefined);
      return found.length === 0 ? "" : spreadOf(found);
    };
    return [
      layers || "all",
      arm,
      spread(({ hr10 }) => hr10),
      spread(({ ndcg10 }) => ndcg10),
      own.map(({ curve }) => curve.at(-1)!.loss.toFixed(2)).join(", "),
      spread(tested10(hitsAtK)),
      spread(tested10(ndcgAtK)),
      curve.map(({ step, ndcg10 }) => `${step}: ${digits(ndcg10)}`).join(", "),
      own.map(({ minutes }) => minutes.toFixed(0)).join(", "),
    ];
  });
  const share = (name: string) => ({ name, format: "share" as const });
  return {
    columns: [
      { name: "blocks" },
      { name: "what is trained" },
      share("HR@10, valid"),
      share("NDCG@10, valid"),
      { name: "loss, valid, last" },
      share("HR@10, test"),
      share("NDCG@10, test"),
      { name: "NDCG@10 by step, first seed" },
      { name: "minutes" },
    ],
    rows,
  };
}
