/**
 * One update of reinforcement learning with each prompt computed once for all of its completions, as training does it,
 * beside the same update with the prompt copied for each completion: forward, backward, clip, AdamW, and a forward pass
 * of the frozen reference unless `--no-reference`. The two take turns. Prints a Markdown table:
 *
 *     deno run -A bench/layouts/shared_prompts.ts [--prompts 8] [--generations 16] [--prompt-tokens 120] [--repeats 5]
 *         [--out docs/benchmarks]
 */
import { parseArgs } from "node:util";
import { Device } from "../../kernels/gpu/device.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import type { PendingStatistics } from "../../train/rl/policy/update.ts";
import { costPerRun } from "../kernels/contender.ts";
import { median, spread } from "../kernels/report.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { type PromptLayout, rlStep, type RlStepShape } from "./rl.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    prompts: { type: "string", default: "8" },
    generations: { type: "string", default: "16" },
    "prompt-tokens": { type: "string", default: "120" },
    "completion-tokens": { type: "string", default: "3" },
    width: { type: "string", default: "128" },
    layers: { type: "string", default: "4" },
    vocabulary: { type: "string", default: "700" },
    reference: { type: "boolean", default: true },
    repeats: { type: "string", default: "5" },
    budget: { type: "string", default: "1000" },
    out: { type: "string", default: "" },
  },
});
const shape: RlStepShape = {
  prompts: Number(values.prompts),
  generations: Number(values.generations),
  promptTokens: Number(values["prompt-tokens"]),
  completionTokens: Number(values["completion-tokens"]),
  width: Number(values.width),
  layers: Number(values.layers),
  vocabulary: Number(values.vocabulary),
  reference: values.reference,
};
const budget = Number(values.budget);
const layouts: PromptLayout[] = ["shared", "copied"];
const contenders = [];
for (const layout of layouts) {
  const device = await Device.open();
  const step = rlStep(device, shape, layout);
  const first = await (await step.run())();
  contenders.push({ layout, device, step, first, times: [] as number[] });
}
const [shared, copied] = contenders;
for (const key of ["policyLoss", "klLoss", "gradientNorm"] as const) {
  const [a, b] = contenders.map(({ first }) => first[key]);
  if (!(Math.abs(a - b) <= 1e-3 * (Math.abs(a) + 1e-3))) {
    throw new Error(`The two layouts compute ${key} ${a} and ${b}: expected the same`);
  }
}
for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
  for (const { step, times } of contenders) {
    const run = async (count: number) => {
      let last: PendingStatistics | undefined;
      for (let i = 0; i < count; i++) last = await step.run();
      await last?.();
    };
    times.push((await costPerRun(run, { budget })).milliseconds);
  }
}

const { description, device: chip } = shared.device.info;
console.log(
  `${shape.prompts} prompts of ${shape.promptTokens} tokens, ${shape.generations} completions of ` +
    `${shape.completionTokens} each, ${
      shape.reference ? "with" : "without"
    } reference; width ${shape.width}, ` +
    `${shape.layers} layers, ${shape.vocabulary} tokens; ${description || chip}\n`,
);
const ratios = shared.times.map((time, i) => copied.times[i] / time);
const memory = copied.device.memory.peak / shared.device.memory.peak;
const remark =
  `shared prompts are ${median(ratios).toFixed(1)} times as fast [${Math.min(...ratios).toFixed(1)} - ` +
  `${Math.max(...ratios).toFixed(1)}] in ${memory.toFixed(1)} times less memory`;
const table = textTable(
  ["prompts", "rows of blocks", "ms an update", "peak memory"],
  contenders.map(({ layout, step, times, device }) => [
    layout,
    String(step.rows),
    spread(times, (time) => time.toFixed(0)),
    formatBytes(device.memory.peak),
  ]),
);
console.log(`${tableText(table)}\n\n${remark}`);
await writeOut(values.out, "reinforcement", {
  "shared-prompts": {
    command: [commandLine("bench/layouts/shared_prompts.ts")],
    ...await conditionsNow(description || chip),
    tables: [table],
    remarks: [remark],
    raw: contenders.map(({ layout, times }) => ({ layout, milliseconds: times })),
  },
});
Deno.exit(0); // without destroying the devices, which may crash with work in flight
