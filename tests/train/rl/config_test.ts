import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { type RlConfig, rlConfig } from "../../../train/rl/config.ts";

function refuses(settings: Partial<RlConfig>, message: RegExp) {
  assert.throws(
    () => rlConfig(settings),
    (error) => error instanceof UserError && message.test(error.message) || assert.fail(String(error)),
  );
}

Deno.test("rlConfig() fills in defaults and keeps what is given", () => {
  const { loss, rollout, numGenerations, reward } = rlConfig({ numGenerations: 8 });
  assert.deepEqual([loss, rollout, numGenerations, reward], ["grpo", "beam", 8, ["rule", "ranking"]]);
});

Deno.test("rlConfig() names every setting that is wrong or unknown", () => {
  refuses({ numGenerations: 1, bta: 0 } as Partial<RlConfig>, /numGenerations: .*2.*bta/);
});

Deno.test("rlConfig() suggests a loss where there is none of the name", () => {
  refuses({ loss: "clipd" }, /there is no such loss\. Expected one of .*Did you mean clipped\?/);
});

Deno.test("rlConfig() refuses settings that contradict each other and says which to leave out", () => {
  const draws = { temperature: 0.5, topK: 3, topP: 0.9, replacement: false };
  const beam = { ...draws, dynamicSampling: true, guidedAnswers: 2 };
  refuses(
    beam,
    /--top-k, --top-p, --temperature, --no-replacement, --dynamic-sampling, --guided-answers with --rollout beam/,
  );
  const sample = { rollout: "sample" } as const;
  refuses({ ...sample, replacement: false, topK: 3 }, /leave out --top-k/);
  const guided = { ...sample, guidedAnswers: 4, numGenerations: 8 };
  rlConfig(guided);
  for (const more of [{ numGenerations: 4 }, { replacement: false }, { dynamicSampling: true }]) {
    refuses({ ...guided, ...more }, /Cannot guide 4 of [48] answers: .*Use fewer --guided-answers/);
  }
  refuses({ ...sample, replacement: false, dynamicSampling: true }, /leave out .*--dynamic-sampling/);
  rlConfig({ ...sample, topK: 3, topP: 0.9, dynamicSampling: true });
  rlConfig({ ...sample, replacement: false, temperature: 2 });
  refuses(
    { ...guided, targets: "none", addTarget: true },
    /--add-target, --guided-answers with --targets none/,
  );
  rlConfig({ targets: "none" });
  refuses({ numIterations: 2 }, /--num-iterations 2 with --loss grpo: .* Use --loss clipped/);
  for (const loss of ["clipped", "dapo", "dr-grpo", "gspo", "etegrec"]) rlConfig({ numIterations: 2, loss });
  refuses({ advantages: "level", loss: "gspo" }, /--advantages level with --loss gspo, .* --advantages sid/);
  refuses({ loraR: 4, refModelSyncSteps: 8 }, /--ref-model-sync-steps with --lora-r/);
});
