// A run on a shop with seven test users, evaluated in this process: a new one takes longer to start than the ranking.
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { EvaluateReport } from "../../tasks/_evaluate/report_lines.ts";
import { task as evaluateTask } from "../../tasks/evaluate.ts";
import { minionerecFiles, withFiles } from "../data/formats/minionerec/fixture.ts";
import { collector, train, withShop } from "../scenarios/text_shop.ts";

const HISTORIES = [[1, 3], [0], [2, 0], [3], [1, 2, 0], [2], [0, 1]];
const TARGETS = [0, 1, 2, 3, 0, 1, 2];
export const USERS = TARGETS.length;

const { "test.csv": test, "index.json": index } = minionerecFiles();
const published: Record<string, string[]> = JSON.parse(index);
const sid = (item: number) => published[item].join("");
const TEST = [
  test.split("\n")[0],
  ...HISTORIES.map((history, user) => {
    const sids = history.map((item) => `'${sid(item)}'`).join(", ");
    const target = TARGETS[user];
    const titles = history.map(() => "'NA'").join(", ");
    return `U${user},"[${titles}]",NA,"[${history.join(", ")}]",${target},"[${sids}]",${sid(target)}`;
  }),
  "",
].join("\n");
// Items 2 and 3 share a SID.
const INDEX = JSON.stringify({ ...published, 3: ["<a_2>", "<b_2>"] });

let trained: Promise<string> | undefined;

/** Runs `use` in a folder with `data/` and `run/`, a copy of its own. */
export async function withSevenUsers(use: (dir: string) => Promise<void>): Promise<void> {
  const source = await (trained ??= make());
  await withFiles({}, async (dir) => {
    cpSync(source, dir, { recursive: true });
    const config = join(dir, "run/config.json");
    const settings = JSON.parse(await Deno.readTextFile(config));
    await Deno.writeTextFile(config, JSON.stringify({ ...settings, data: join(dir, "data") }));
    await use(dir);
  });
}

async function make(): Promise<string> {
  const copy = await Deno.makeTempDir();
  addEventListener("unload", () => Deno.removeSync(copy, { recursive: true }));
  await withShop("qwen2", { "data/test.csv": TEST, "shared.json": INDEX }, async (dir) => {
    await train(dir, {
      sids: join(dir, "shared.json"),
      mode: "samples",
      maxSteps: 1,
      hiddenSize: 16,
      numAttentionHeads: 2,
      numKeyValueHeads: 2,
      intermediateSize: 16,
      numHiddenLayers: 1,
    });
    cpSync(dir, copy, { recursive: true });
  });
  return copy;
}

/** Evaluates `run/` into a folder of `dir` with 3 beams, unless `settings` say otherwise. */
export async function evaluated(dir: string, out: string, settings: Record<string, unknown> = {}) {
  const { io, lines } = collector();
  const flags = {
    run: join(dir, "run"),
    data: join(dir, "data"),
    out: join(dir, out),
    beams: 3,
    ...settings,
  };
  await evaluateTask.run(evaluateTask.config.parse(flags), io);
  const report: EvaluateReport = JSON.parse(await Deno.readTextFile(join(dir, out, "metrics.json")));
  return { report, lines, predictions: await Deno.readTextFile(join(dir, out, "predictions.jsonl")) };
}
