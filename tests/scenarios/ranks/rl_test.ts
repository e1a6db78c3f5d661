// Reinforcement by several processes, on each MPI that is installed.
import assert from "node:assert/strict";
import { join } from "node:path";
import { RunDirectory } from "../../../train/run/directory.ts";
import { runRanks, testMpi } from "../../base/mpi/installed.ts";
import { genrec, withRun } from "../../tasks/genrec.ts";

const SCRIPT = "tests/scenarios/ranks/main_script.ts";
const RL =
  ("rl --run run --data data --num-generations 3 --prompts-per-step 4 --tokens-per-batch 64 --add-target " +
    "--max-steps 2 --num-train-epochs 9 --eval-steps 1 --eval-samples 4 --logging-steps 1").split(" ");

/** What a run leaves, its times left out. */
async function leftBy(out: string) {
  const run = new RunDirectory(out);
  const folder = await run.checkpoint("latest");
  const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
  const files = ["model.safetensors", "trainer.safetensors"].map((name) =>
    Deno.readFile(`${folder}/${name}`)
  );
  return { lines, verdict: await run.readJson("verdict.json"), files: await Promise.all(files) };
}

testMpi("reinforcement by two processes leaves the bytes, lines and verdict of one", async (mpi) => {
  await withRun(async (dir) => {
    const one = await genrec(dir, [...RL, "--out", "one"]);
    assert.equal(one.code, 0, one.stderr);
    const two = await runRanks(mpi, 2, SCRIPT, [...RL, "--out", "two", "--zero-stage", "1"], { cwd: dir });
    assert.equal(two.code, 0, two.stderr);
    assert.deepEqual(await leftBy(join(dir, "two")), await leftBy(join(dir, "one")));
    assert.equal(two.stdout.match(/^Finished after 2 steps/gm)?.length, 1, "the first rank alone speaks");
  });
});
