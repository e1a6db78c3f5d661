import { ALONE, unmet } from "../../base/parallel/world.ts";
import type { RlExample } from "../../data/packing/rl_examples.ts";
import type { PolicyGroup, PolicyModel } from "./policy/batch.ts";
import { savingBytes } from "../run/checkpoint.ts";
import { savesOf } from "../run/step_plan.ts";
import { RlPlan } from "./plan.ts";
import { mostAnswers, openParts, type RlInput } from "./trainer.ts";

/**
 * Records a rollout and an update of the step with the most tokens of all that the run has, and a validation, so that the
 * memory of `input.device` holds what the run holds; for a device that computes nothing. Rewards are not asked. Returns the
 * bytes that writing its checkpoints takes beside them in the memory of the process.
 */
export async function rehearseRl<M extends PolicyModel>(input: RlInput<M>): Promise<number> {
  const { examples, config, itemTokens, validation, signal } = input;
  const parts = await openParts({ ...input, world: unmet(input.world ?? ALONE) });
  try {
    const { rollout, update, policy } = parts;
    const lengths = Uint32Array.from({ length: examples.count }, (_, i) => examples.make(i).prompt.length);
    const plan = new RlPlan(examples, config);
    const asked = plan.examples(plan.longestStep(lengths));
    const isBare = savesUnmeasured(plan);
    if (isBare) await validation.ranks(policy, signal);
    await rollout.write(asked, 0);
    const groupOf = (example: RlExample): PolicyGroup => {
      // Any answers: what they are decides about no size but their length.
      const written = itemTokens.flatMap((_, item) => {
        const answered = example.text === undefined || examples.texts![example.text][item].length > 0;
        return answered ? [item] : [];
      }).slice(0, mostAnswers(config)).map((item) => rollout.answerFor(example, item));
      return {
        prompt: example.prompt,
        completions: written.map(({ tokens }) => tokens),
        nodes: written.map(({ nodes }) => nodes),
        advantages: written.map(({ tokens }) => new Float64Array(tokens.length)),
        weights: written.map(() => 1),
        supervised: written.map(() => 0),
      };
    };
    await update.run(0, asked.map(groupOf), 0);
    if (!isBare) await validation.ranks(policy, signal); // gives back what the step leaves
    const { parameters } = policy;
    const merged = config.loraR > 0 ? 4 * parameters.trainedCount : 0; // adapters
    const moved = config.refModelSyncSteps > 0 ? 8 * parameters.count : 0; // the reference, and its file
    return savingBytes(input.device, savesOf(plan), parameters) + merged + moved;
  } finally {
    const { rollout, update, reference, tries, scaling } = parts;
    for (const part of [rollout, update, reference, tries, scaling]) part?.destroy();
  }
}

/** Whether a checkpoint follows a step with no validation between them. */
function savesUnmeasured(plan: RlPlan): boolean {
  for (let steps = 1; steps < plan.total; steps++) {
    if (plan.isSave(steps) && !plan.isEvaluation(steps)) return true;
  }
  return false;
}
