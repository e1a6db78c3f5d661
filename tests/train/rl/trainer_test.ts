import assert from "node:assert/strict";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { loadDecoder } from "../../../train/run/checkpoint.ts";
import { DivergenceError } from "../../../train/run/divergence.ts";
import { type RlConfig, rlConfig } from "../../../train/rl/config.ts";
import type { RlRunInput } from "../../../train/rl/trainer.ts";
import { verdict } from "../../../train/rl/verdict.ts";
import type { RewardSet } from "../../../train/rl/reward_set.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { Validation } from "../../../train/run/validation.ts";
import {
  bytesOf,
  dataset,
  logOf,
  rewardsOf,
  tinyDevice,
  tinyParent,
  train,
  validationOptions,
  withFolder,
} from "./tiny_run.ts";

/** All that must not depend on whether a run was stopped. */
async function outcome(run: RunDirectory, files: readonly string[]) {
  const { seconds: _, ...state } = JSON.parse(new TextDecoder().decode(await bytesOf(run, "rl.json")));
  return {
    log: await logOf(run),
    best: await run.read("best"),
    latest: await run.read("latest"),
    state,
    // Hashes: the difference of long arrays takes minutes to show.
    files: await Promise.all(files.map((file) => bytesOf(run, file).then(digest))),
  };
}

async function digest(bytes: Uint8Array): Promise<string> {
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)))].join(" ");
}

/** Weights of a checkpoint in one list. */
async function weightsOf(folder: string): Promise<number[]> {
  const tensors = readSafetensors(await Deno.readFile(`${folder}/model.safetensors`));
  return [...tensors].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([, { data }]) => [...data]);
}

/** Largest difference of two lists. */
function distance(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}

/** A reward of its own, `value` an answer. */
function rewardOf(value: (item: number, place: number) => number): RewardSet {
  return {
    names: ["own"],
    score: ({ completions }) => {
      const total = Float64Array.from(completions, ({ items }, place) => value(items[0], place));
      return Promise.resolve({ total, byReward: [total], hits: completions.map(() => false) });
    },
  };
}

const kinds: Record<string, Partial<RlConfig>> = {
  "beams": { loss: "clipped", numIterations: 2, emaDecay: 0.5, targetKl: 1e-5 },
  "draws and a reference that moves": { rollout: "sample", refModelSyncSteps: 2, dropout: 0.1 },
  "adapters": { loraR: 2, sftLossWeight: 0.1 },
};
for (const [name, settings] of Object.entries(kinds)) {
  Deno.test(`trainRl() stopped amid a log interval and resumed equals a run that was not: ${name}`, async () => {
    await withFolder(async (folder) => {
      const files = ["model.safetensors", "trainer.safetensors"];
      if (settings.refModelSyncSteps) files.push("reference.safetensors");
      const all = { ...settings, maxSteps: 5, evalSteps: 2, loggingSteps: 3 };
      const whole = await train(`${folder}/whole`, all);
      assert.equal(whole.result.stopped, "finished");

      const abort = new AbortController();
      const stopped = await train(`${folder}/parts`, all, {
        signal: abort.signal,
        onValidation: (step) => step === 2 && abort.abort(),
      });
      assert.deepEqual([stopped.result.stopped, stopped.result.steps], ["interrupted", 2]);
      const { run, result } = await train(`${folder}/parts`, all, { resume: true });
      assert.equal(result.stopped, "finished");
      assert.deepEqual(await outcome(run, files), await outcome(whole.run, files));
    });
  });
}

Deno.test("trainRl() stopped around a validation makes it up when resumed, with one line in the log", async () => {
  await withFolder(async (folder) => {
    const settings = { maxSteps: 2, evalSteps: 1, loggingSteps: 1 };
    const whole = await train(`${folder}/whole`, settings);
    // After the first validation, before its checkpoint; after a step, before its validation; after the last step.
    const stops: ((abort: () => void) => Partial<RlRunInput>)[] = [
      (abort) => ({ onValidation: (step) => step === 0 && abort() }),
      (abort) => ({ onStep: (step) => step === 1 && abort() }),
      (abort) => ({ onStep: (step) => step === 2 && abort() }),
    ];
    for (const [i, stop] of stops.entries()) {
      const abort = new AbortController();
      const out = `${folder}/at-${i}`;
      const stopped = await train(out, settings, { signal: abort.signal, ...stop(() => abort.abort()) });
      assert.deepEqual([stopped.result.stopped, stopped.result.steps], ["interrupted", i]);
      const { run, result } = await train(out, settings, { resume: true });
      assert.equal(result.stopped, "finished");
      assert.deepEqual(await outcome(run, []), await outcome(whole.run, []));
    }
    const steps = (await logOf(whole.run)).map(({ step, valid }) => valid ? `valid ${step}` : step);
    assert.deepEqual(steps, ["valid 0", 1, "valid 1", 2, "valid 2"]);
  });
});

Deno.test("trainRl() keeps the weights that it started from where it only makes them worse", async () => {
  await withFolder(async (folder) => {
    const { run, result } = await train(`${folder}/run`, {
      learningRate: 0.3,
      maxKl: 1e30,
      maxSteps: 3,
      evalSteps: 1,
      saveSteps: 100,
      saveTotalLimit: 0,
    });
    assert.equal(result.stopped, "finished");
    assert.equal(result.state.best!.step, 0);
    assert.equal((await run.read("best")).trim(), "step-0");
    const before = await weightsOf(await tinyParent());
    assert.equal(distance(await weightsOf(await run.checkpoint("best")), before), 0);
    assert.ok(distance(await weightsOf(await run.checkpoint("latest")), before) > 0.1);
    const { keptStep, difference, text } = verdict(
      result.state,
      new Float64Array(result.state.firstRanks.length).fill(1),
      1,
    );
    assert.deepEqual([keptStep, difference], [0, 0]);
    assert.match(text, /^RL did not help: no validation of 3 was above/);
    const kept = await Array.fromAsync(Deno.readDir(`${run.path}/checkpoints`), ({ name }) => name);
    assert.deepEqual(kept.sort(), ["step-0", "step-3"], "worse validations save nothing before it is time");
  });
});

Deno.test("trainRl() halves the learning rate wherever the KL divergence is above targetKl", async () => {
  await withFolder(async (folder) => {
    const targetKl = 1e-4, notes: string[] = [];
    const { run, result } = await train(
      `${folder}/run`,
      { targetKl, learningRate: 0.01, maxSteps: 5, loggingSteps: 1, evalSteps: 5 },
      { onNote: (message) => void (message.startsWith("Warning") || notes.push(message)) },
    );
    const lines = (await logOf(run)).filter(({ valid }) => !valid);
    let scale = 1;
    for (const { learningRate, kl } of lines) {
      assert.equal(learningRate, 0.01 * scale);
      if (kl > targetKl) scale /= 2;
    }
    assert.ok(scale < 1 && scale > 1 / 32, `the rate was halved ${-Math.log2(scale)} times`);
    assert.equal(result.state.learningRateScale, scale);
    assert.equal(notes.length, -Math.log2(scale));
    assert.match(notes[0], /KL .* is above --target-kl 0.0001, so the learning rate is halved, now 5.0e-3$/);
  });
});

Deno.test("trainRl() stops where the KL divergence or the gradient explodes, its checkpoints intact", async () => {
  await withFolder(async (folder) => {
    const explosions = {
      kl: { learningRate: 0.05, maxKl: 1e-3 },
      gradient: { learningRate: 1e30, maxGradNorm: 0, maxKl: 1e30 },
    };
    for (const [name, settings] of Object.entries(explosions)) {
      const out = `${folder}/${name}`;
      const error = await train(out, { ...settings, evalSteps: 1 }).then(() => undefined, (error) => error);
      assert.ok(error instanceof DivergenceError, String(error));
      const run = new RunDirectory(out);
      await loadDecoder(await tinyDevice(), await run.checkpoint("best"));
      await loadDecoder(await tinyDevice(), await run.checkpoint("latest"));
      if (name === "kl") {
        assert.match(error.message, /expected at most 0\.001 \(--max-kl\)/);
        assert.match(
          error.message,
          /The best checkpoint so far, of step \d, is kept\. .* lower --learning-rate/,
        );
        assert.ok((await logOf(run)).at(-1).stopped.kl > 1e-3);
      }
    }
  });
});

Deno.test("trainRl() stops after so many validations without a better one, and is over when resumed", async () => {
  await withFolder(async (folder) => {
    // No step size, no progress.
    const settings = { learningRate: 1e-12, evalSteps: 1, patience: 2 };
    const { run, result } = await train(`${folder}/run`, settings);
    assert.deepEqual([result.stopped, result.steps, result.state.best?.step], ["early", 2, 0]);
    const lines = await logOf(run);
    const again = await train(`${folder}/run`, settings, { resume: true });
    assert.deepEqual([again.result.stopped, again.result.steps], ["early", 2]);
    assert.deepEqual(await logOf(run), lines);
  });
});

Deno.test("trainRl() that skips groups of equal rewards learns the same as one that keeps them", async () => {
  await withFolder(async (folder) => {
    const weights = [];
    for (const skipZeroVariance of [true, false]) {
      const { run } = await train(`${folder}/${skipZeroVariance}`, {
        skipZeroVariance,
        reward: ["rule"],
        beta: 0,
        promptsPerStep: 16,
        maxSteps: 2,
        loggingSteps: 1,
        evalSamples: 4,
        // With a large epsilon, rounding of gradients near 0 stays rounding.
        adamEpsilon: 0.1,
        learningRate: 0.1,
      });
      const shares = (await logOf(run)).filter(({ valid }) => !valid).map(({ zeroVariance }) => zeroVariance);
      assert.ok(shares.every((share) => share > 0 && share < 1), `shares of equal rewards ${shares}`);
      weights.push(await weightsOf(await run.checkpoint("latest")));
    }
    const before = await weightsOf(await tinyParent());
    const [apart, moved] = [distance(weights[0], weights[1]), distance(weights[0], before)];
    assert.ok(apart < 1e-3 * moved && moved > 0.01, `${apart} apart, moved by ${moved}`);
  });
});

Deno.test("trainRl() of a policy whose rewards are all equal still measures it, and stops where it has gone too far", async () => {
  await withFolder(async (folder) => {
    const rewards = rewardOf(() => 1);
    const settings = { maxSteps: 2, loggingSteps: 1, evalSamples: 4 };
    const { run } = await train(`${folder}/run`, settings, { rewards });
    const [, line] = await logOf(run);
    assert.deepEqual([line.zeroVariance, line.gradNorm], [1, 0]);
    assert.ok(line.entropy > 0.1, JSON.stringify(line));
    assert.equal(
      distance(await weightsOf(await run.checkpoint("latest")), await weightsOf(await tinyParent())),
      0,
    );

    // A first step that goes far away, to where all answers are worth the same.
    let scored = 0;
    const collapsing: RewardSet = {
      ...rewards,
      score: (group) => rewardOf((_, place) => scored++ < 16 ? place : 1).score(group),
    };
    const far = { ...settings, promptsPerStep: 4, numGenerations: 4, learningRate: 0.05, maxKl: 1e-3 };
    await assert.rejects(() => train(`${folder}/far`, far, { rewards: collapsing }), DivergenceError);
  });
});

Deno.test("trainRl() stops where no group has told answers apart for too long, resumed or not, and keeps its checkpoint", async () => {
  await withFolder(async (folder) => {
    const settings = { maxSteps: 6, evalSteps: 2, loggingSteps: 1, evalSamples: 4, collapseSteps: 3 };
    const rewards = rewardOf(() => 1);
    const stops = (out: string, more: Partial<RlRunInput>) =>
      assert.rejects(() => train(out, settings, { rewards, ...more }), (error) => {
        assert.ok(error instanceof DivergenceError, `${error}`);
        assert.match(
          error.message,
          /stopped at step 3: in 3 steps in a row .* one and the same reward.*--collapse-steps/,
        );
        return true;
      });
    await stops(`${folder}/whole`, {});
    const abort = new AbortController();
    await train(`${folder}/parts`, settings, {
      rewards,
      signal: abort.signal,
      onValidation: (step) => step === 2 && abort.abort(),
    });
    await stops(`${folder}/parts`, { resume: true });
    const { run } = await train(`${folder}/never`, { ...settings, collapseSteps: 0 }, { rewards });
    assert.equal((await logOf(run)).filter(({ zeroVariance }) => zeroVariance === 1).length, 6);
  });
});

Deno.test("trainRl() with addTarget has the target in every group", async () => {
  await withFolder(async (folder) => {
    const settings = { addTarget: true, reward: ["rule"], maxSteps: 2, evalSamples: 4 };
    const [, line] = await logOf((await train(`${folder}/run`, settings)).run);
    // Rewards differ in every group, so each has its target, though the model did not write all of them.
    assert.deepEqual([line.zeroVariance, line.hitGroups < 1, line.passAt[4] < 1], [0, true, true]);
  });
});

Deno.test("trainRl() with dynamicSampling has more different answers in a group", async () => {
  await withFolder(async (folder) => {
    const settings = { rollout: "sample", temperature: 0.1, maxSteps: 2, evalSamples: 4 } as const;
    const lines = [];
    for (const dynamicSampling of [false, true]) {
      const { run } = await train(`${folder}/${dynamicSampling}`, { ...settings, dynamicSampling });
      lines.push((await logOf(run))[1]);
    }
    assert.ok(lines[1].diversity > lines[0].diversity + 0.05, JSON.stringify(lines));
  });
});

Deno.test("trainRl() with level advantages learns from a reward by level", async () => {
  await withFolder(async (folder) => {
    const advantages = "level" as const;
    const settings = { reward: ["prefix"], advantages, maxSteps: 2, evalSamples: 4 };
    const [, line] = await logOf((await train(`${folder}/run`, settings)).run);
    assert.ok(line.gradNorm > 0 && line.rewards.prefix.std > 0, JSON.stringify(line));
  });
});

Deno.test("trainRl() with sftLossWeight lowers the loss of the targets, where rewards are all equal too", async () => {
  await withFolder(async (folder) => {
    const config = { sftLossWeight: 1, promptsPerStep: 16, maxSteps: 6, evalSamples: 4, beta: 0 };
    const { run } = await train(`${folder}/run`, config, { rewards: rewardOf(() => 0) });
    const device = await tinyDevice();
    const options = validationOptions(device, rlConfig({ evalSamples: 64, evalBeams: 10 }));
    const onTrain = new Validation({ ...options, valid: dataset.samples.train });
    const loss = async (folder: string) => {
      const decoder = await loadDecoder(device, folder);
      return (await onTrain.run(decoder, new AbortController().signal))!.loss;
    };
    const [before, after] = [await loss(await tinyParent()), await loss(await run.checkpoint("latest"))];
    assert.ok(after < before - 0.01, `loss ${before}, then ${after}`);
  });
});

Deno.test("trainRl() makes the model write what it is taught without a target", async () => {
  await withFolder(async (folder) => {
    const [first, second] = [dataset.samples.train[0].target, dataset.samples.train[9].target];
    const taught = [{ item: first, share: 0.7 }, { item: second, share: 0.3 }];
    const rewards: RewardSet = {
      names: ["first", "second"],
      teaches: true,
      score: ({ completions }) => {
        const places = [first, second].map((item, place) =>
          Float64Array.from(completions, ({ items }, i) => i === place && items[0] === item ? 1 : 0)
        );
        // Rewards are all equal: what is learned is what is taught.
        const total = new Float64Array(completions.length);
        return Promise.resolve({ total, byReward: places, hits: completions.map(() => false), taught });
      },
    };
    const config = {
      targets: "none",
      sftLossWeight: 1,
      learningRate: 0.01,
      maxSteps: 20,
      evalSteps: 20,
      evalSamples: 4,
      collapseSteps: 0,
      maxKl: 1e12,
      beta: 0,
    } as const;
    await assert.rejects(
      train(`${folder}/untaught`, config, { rewards: rewardOf(() => 1) }),
      /Cannot use --sft-loss-weight 1 with --targets none and the rewards own: .* Add --reward collaborative/,
    );
    const { run } = await train(`${folder}/run`, config, { rewards });
    const lines = (await logOf(run)).filter(({ valid }) => !valid);
    // Of six answers the first one is the first that is taught, and the second the second.
    const { first: { mean: one }, second: { mean: two } } = lines.at(-1).rewards;
    assert.ok(lines[0].rewards.first.mean < 0.1 && one > 0.16 && two > 0.16, JSON.stringify([one, two]));
  });
});

Deno.test("trainRl() makes the model write what is rewarded", async () => {
  await withFolder(async (folder) => {
    const wanted = dataset.samples.train[0].target;
    const settings = {
      rollout: "sample",
      numGenerations: 12,
      promptsPerStep: 8,
      learningRate: 0.01,
      maxSteps: 20,
      evalSteps: 20,
      evalSamples: 4,
    } as const;
    const { run } = await train(`${folder}/run`, settings, {
      rewards: rewardOf((item) => item === wanted ? 1 : 0),
    });
    const rewards = (await logOf(run)).filter(({ valid }) => !valid).map(({ reward }) => reward);
    assert.ok(rewards[0] < 0.2 && rewards.at(-1) > 0.6, `shares of the rewarded SID ${rewards}`);
  });
});

Deno.test("trainRl() refuses groups larger than the catalogue before it writes anything", async () => {
  await withFolder(async (folder) => {
    let started = false;
    const onStart = () => void (started = true);
    for (const numGenerations of [51, 9999]) {
      await assert.rejects(
        () => train(`${folder}/${numGenerations}`, { numGenerations }, { onStart }),
        new RegExp(
          `groups of ${numGenerations} different answers: the catalogue has 50 SIDs\\. Use --num-generations 50 or fewer`,
        ),
      );
    }
    await assert.rejects(
      () => train(`${folder}/draws`, { numGenerations: 9999, rollout: "sample" }, { onStart }),
      /with their answers \d+, expected at most \d+\. Raise --tokens-per-batch, or lower --num-generations/,
    );
    assert.equal(started, false);
  });
});

Deno.test("a steady step of reinforcement holds no more memory and compiles nothing", async () => {
  await withFolder(async (folder) => {
    const device = await tinyDevice();
    const seen: Record<string, number>[] = [];
    const settings = { addTarget: true, maxSteps: 12, loggingSteps: 1, evalSteps: 12, evalSamples: 4 };
    await train(`${folder}/run`, settings, {
      onStep: () => void seen.push({ ...device.counters, ...device.memory }),
    });
    const [before, after] = [seen.at(-5)!, seen.at(-1)!];
    for (const key of ["pipelines", "buffers", "textures", "peak"]) {
      assert.equal(after[key], before[key], key);
    }
  });
});

Deno.test("the KL divergence of adapters from the model below them is 0 at first and grows", async () => {
  await withFolder(async (folder) => {
    const settings = {
      loraR: 2,
      learningRate: 0.02,
      maxSteps: 4,
      loggingSteps: 1,
      evalSteps: 4,
      evalSamples: 4,
    };
    const { run } = await train(`${folder}/run`, { ...settings, addTarget: true });
    const divergences = (await logOf(run)).filter(({ valid }) => !valid).map(({ kl }) => kl);
    assert.ok(divergences[0] < 1e-6 && divergences.at(-1) > 1e-4, `${divergences}`);
  });
});

Deno.test("trainRl() with a reward that changes all that it gets gives the bytes of one that changes nothing", async () => {
  const values = "completions.map(({ items }) => (items[0] * 7) % 5)";
  const changes = `
    const values = ${values};
    const { dataset, itemTokens } = context;
    for (const list of [example.history, example.targets, dataset.items, dataset.histories, ...itemTokens]) list.fill?.(0);
    for (const split of ["train", "valid", "test"]) dataset.samples[split].forEach((sample) => sample.history.length = 0);
    example.prompt.fill(1);
    for (const one of completions) {
      one.items.length = 0;
      one.tokens.fill(3);
      one.logProb = 9;
    }
    completions.reverse();
    group.ranked = false;
    Object.assign(example, { targets: [0], task: 5 });
    delete group.completions;
    Array.prototype.map = Float64Array.from = () => [];
    return values;`;
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/plain.ts`, `export default ({ completions }: any) => ${values};`);
    await Deno.writeTextFile(
      `${folder}/changes.js`,
      `const map = Array.prototype.map;
      export default (group, context) => {
        Array.prototype.map = map;
        const { example, completions } = group;
        ${changes}
      };`,
    );
    const files = ["model.safetensors", "trainer.safetensors"];
    const outcomes = [];
    for (const name of ["plain.ts", "changes.js"]) {
      const settings = { reward: [`${folder}/${name}`, "ranking"], maxSteps: 3, loggingSteps: 1 };
      const rewards = await rewardsOf(settings.reward);
      const { run } = await train(`${folder}/${name}-run`, settings, { rewards });
      rewards.close?.();
      const { log, ...rest } = await outcome(run, files);
      outcomes.push({
        ...rest,
        log: log.map((line) => JSON.parse(JSON.stringify(line).replaceAll(name, "own"))),
        state: { ...rest.state, sums: Object.values(rest.state.sums) },
      });
    }
    assert.ok(outcomes[0].log.some(({ gradNorm }) => gradNorm > 0));
    assert.deepEqual(outcomes[1], outcomes[0]);
  });
});

Deno.test("trainRl() warns once of a step whose groups all score alike, and logs groups without any reward", async () => {
  await withFolder(async (folder) => {
    const settings = { maxSteps: 3, loggingSteps: 1, evalSamples: 4 };
    const notes: string[] = [];
    const onNote = (note: string) => void notes.push(note);
    const { run } = await train(`${folder}/run`, settings, { rewards: rewardOf(() => 0), onNote });
    const steps = (await logOf(run)).filter(({ reward }) => reward !== undefined);
    assert.deepEqual(
      steps.map(({ unrewarded, zeroVariance }) => [unrewarded, zeroVariance]),
      Array(3).fill([1, 1]),
    );
    assert.equal(notes.length, 1);
    assert.match(
      notes[0],
      /^Warning: step 1: in each of 4 groups all answers have the same reward, in 4 of them none at all\. /,
    );
  });
});
