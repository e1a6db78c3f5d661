import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { alignmentTask } from "../../prompts/tasks/by_name.ts";
import { parseTemplates } from "../../prompts/template.ts";
import { END, promptsOf, workshop } from "../prompts/workshop.ts";
import { task as baseline } from "../../tasks/baseline.ts";
import { task as etegrec } from "../../tasks/etegrec.ts";
import { task as rl } from "../../tasks/rl.ts";
import { task } from "../../tasks/sft.ts";

const folder = fileURLToPath(new URL("../../configs", import.meta.url));
const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".yaml") && !name.startsWith("prompts/")
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

Deno.test("the full tuning of MiniOneRec has its 1,024 rows a step and its tasks", () => {
  const file = `${folder}/qwen2.5/industrial-0.5b-minionerec.yaml`;
  const { config } = parseArgs(task, ["--config", file, "--data", "d", "--out", "o"])!;
  const { batchSize, learningRate, lrSchedulerType, warmupSteps, loraR, freeze, tasks } = config;
  assert.deepEqual(
    { batchSize, learningRate, lrSchedulerType, warmupSteps, loraR, freeze },
    {
      batchSize: 1024,
      learningRate: 3e-4,
      lrSchedulerType: "linear",
      warmupSteps: 20,
      loraR: 0,
      freeze: "none",
    },
  );
  assert.equal(tasks.length, 6);
});

Deno.test("configs/prompts/ have the frames of MiniOneRec and MIMIGenRec, and each of their tasks is one of ours", async () => {
  const { input, tokenizer } = await workshop();
  const tokenizerConfig = {
    chat_template: "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}" +
      "{% if add_generation_prompt %}<assistant>{% endif %}",
  };
  const asked = (name: string, answer: string) => {
    const path = `${folder}/prompts/${name}.yaml`;
    const templates = parseTemplates(Deno.readTextFileSync(path), path);
    const prompts = promptsOf(tokenizer, { templates, tokenizerConfig });
    const question = { history: input.texts.sids.slice(2, 4) };
    const text = (ids: Uint32Array) => tokenizer.decode(ids, true);
    assert.ok(Object.keys(templates.tasks).every((task) => prompts.words(alignmentTask(task))));
    assert.equal(text(prompts.target(alignmentTask("next-item"), { sid: input.texts.sids[5] })), answer);
    return text(prompts.prompt(alignmentTask("next-item"), question)!);
  };
  const [, , first, second, , last] = input.texts.sids;
  assert.match(
    asked("minionerec", `${last}\n${END}`),
    new RegExp(`### Instruction:\n.+\n\n### User Input: \n.*${first}, ${second}.*\n\n### Response:\n$`),
  );
  assert.match(
    asked("mimigenrec", `${last}</>`),
    new RegExp(`^<system>.+</><user>[^\n]+\n[^\n]*${first}, ${second}[^\n]*</><assistant>$`),
  );
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
