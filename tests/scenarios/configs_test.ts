import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { task as baseline } from "../../tasks/baseline.ts";
import { task as etegrec } from "../../tasks/etegrec.ts";
import { task as rl } from "../../tasks/rl.ts";
import { task } from "../../tasks/sft.ts";

const folder = fileURLToPath(new URL("../../configs", import.meta.url));
const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".yaml")
)
  .sort();

Deno.test("every preset of configs/ is one of `genrec sft`, of `rl` where it ends in -rl, or of the task that it begins with", () => {
  for (const name of names) {
    const path = `${folder}/${name}`;
    const { config }: { config: Record<string, unknown> } = name.startsWith("baseline-")
      ? parseArgs(baseline, ["--config", path, "--data", "d", "--out", "o"])!
      : name.startsWith("etegrec-")
      ? parseArgs(etegrec, ["--config", path, "--data", "d", "--out", "o"])!
      : name.endsWith("-rl.yaml")
      ? parseArgs(rl, ["--config", path, "--run", "r", "--out", "o"])!
      : parseArgs(task, ["--config", path, "--data", "d", "--out", "o"])!;
    const own = parse(Deno.readTextFileSync(`${folder}/${name}`));
    delete own.extends;
    for (const [key, value] of Object.entries(own)) {
      assert.deepEqual(config[key], value, `${key} of ${name}`);
    }
  }
});

Deno.test("configs/ has every dataset at every size, all trained alike", () => {
  for (const dataset of ["industrial", "office", "toys"]) {
    for (const size of ["0.5b", "1.5b", "3b"]) {
      const file = `${folder}/qwen2.5/${dataset}-${size}.yaml`;
      const { config } = parseArgs(task, ["--config", file, "--data", "d", "--out", "o"])!;
      const { mode, batchSize, learningRate, numTrainEpochs, warmupSteps, dropout, emaDecay } = config;
      assert.deepEqual(
        { mode, batchSize, learningRate, numTrainEpochs, warmupSteps, dropout, emaDecay },
        {
          mode: "tasks",
          batchSize: 2048,
          learningRate: 3e-4,
          numTrainEpochs: 10,
          warmupSteps: 20,
          dropout: 0,
          emaDecay: 0,
        },
        file,
      );
    }
  }
});
