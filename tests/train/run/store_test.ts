import assert from "node:assert/strict";
import { freshState, type TrainingState } from "../../../models/training/state.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { RunStore } from "../../../train/run/store.ts";

const fresh = freshState();

/** The store of a run that resumes in `path`; the state of a checkpoint is its only file. */
function storeIn(path: string, seen: unknown[] = []) {
  const run = new RunDirectory(path, { saveTotalLimit: 0 });
  const store = new RunStore<TrainingState>({
    run,
    resume: true,
    load: async (folder) => JSON.parse(await Deno.readTextFile(`${folder}/state.json`)),
    files: (state) => ({ "state.json": JSON.stringify(state) }),
    openObserver: ({ firstStep, standing }) =>
      Promise.resolve({
        log: (step, values) => void seen.push([step, values]),
        close: () => void seen.push(`closed, ${firstStep} steps done before`, ...standing),
      }),
  });
  return { run, store };
}

async function withRun(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    await new RunDirectory(path).create(false);
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("RunStore goes on from the latest checkpoint, and keeps the lines that the run will not write again", async () => {
  await withRun(async (path) => {
    const { store, run } = storeIn(path);
    for (const step of [2, 4, 6]) {
      await store.log(step, { loss: step });
      await store.log(step, { valid: { ndcg10: step } });
      if (step < 6) await store.save({ ...fresh, step, validationDue: step === 4 }, step === 2);
    }
    const lines = async () =>
      (await run.read("metrics.jsonl")).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal((await lines()).length, 6);
    const again = storeIn(path);
    const state = await again.store.restore(fresh, () => false);
    assert.deepEqual([state.step, await run.read("best")], [4, "step-2\n"]);
    // The validation of step 4 is due, step 6 comes again.
    assert.deepEqual(await lines(), [{ step: 2, loss: 2 }, { step: 2, valid: { ndcg10: 2 } }, {
      step: 4,
      loss: 4,
    }]);
    // Killed before the mark.
    await again.store.restore(fresh, ({ step }) => step === 4);
    assert.equal(await run.read("best"), "step-4\n");
  });
});

Deno.test("RunStore drops what a run that was killed between a checkpoint and its clean-up was about to drop", async () => {
  await withRun(async (path) => {
    const { store } = storeIn(path);
    for (const step of [2, 4, 6, 8]) await store.save({ ...fresh, step }, step === 4);
    const checkpoints = `${path}/checkpoints`;
    await Deno.mkdir(`${checkpoints}/step-10.tmp`);
    await Deno.rename(`${checkpoints}/step-4`, `${checkpoints}/step-4.old`);
    const run = new RunDirectory(path, { saveTotalLimit: 2 });
    const again = new RunStore<TrainingState>({
      run,
      resume: true,
      load: () => Promise.resolve({ ...fresh, step: 8 }),
      files: () => ({}),
    });
    await again.restore(fresh, () => false);
    const left = await Array.fromAsync(Deno.readDir(checkpoints), ({ name }) => name);
    assert.deepEqual(left.sort(), ["step-4", "step-8"]);
  });
});

Deno.test("RunStore without a checkpoint starts anew, with an empty log", async () => {
  await withRun(async (path) => {
    const { store, run } = storeIn(path);
    await store.log(3, { loss: 1 });
    assert.equal(await store.restore(fresh, () => true), fresh);
    assert.equal(await run.read("metrics.jsonl"), "");
  });
});

Deno.test("RunStore passes every line on to an observer, which it closes", async () => {
  await withRun(async (path) => {
    const seen: unknown[] = [];
    const { store } = storeIn(path, seen);
    await store.open(7);
    await store.log(8, { loss: 0.5, valid: { hr10: 0.25 } });
    await store.close();
    assert.deepEqual(seen, [[8, { "train/loss": 0.5, "valid/hr10": 0.25 }], "closed, 7 steps done before"]);
    // One that goes on is told what stands.
    await store.open(8);
    await store.close();
    assert.deepEqual(seen.slice(2), ["closed, 8 steps done before", {
      step: 8,
      values: { "train/loss": 0.5, "valid/hr10": 0.25 },
    }]);
  });
});
