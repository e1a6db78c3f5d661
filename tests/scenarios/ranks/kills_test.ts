// Trainings other than sft of two processes, one of which is killed: resumed, they leave what one process leaves.
import assert from "node:assert/strict";
import { join } from "node:path";
import { RunDirectory } from "../../../train/run/directory.ts";
import { type InstalledMpi, runRanks, testAnyMpi } from "../../base/mpi/installed.ts";
import { genrec, withRun } from "../../tasks/genrec.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { TINY_FLAGS, withToys } from "../../tasks/etegrec_toys.ts";

const SCRIPT = "tests/scenarios/ranks/main_script.ts";

/** What a run leaves, its times left out. */
async function leftBy(path: string) {
  const run = new RunDirectory(path);
  const folder = await run.checkpoint("latest");
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => name.endsWith(".safetensors")).sort();
  const files = await Promise.all(names.map((name) => Deno.readFile(`${folder}/${name}`)));
  const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
  return { lines, folder: folder.split("/").at(-1), best: await run.read("best"), names, files };
}

/** What is run: its flags, those that two processes have beside them, and the folder in --out of the run that is killed. */
interface Killed {
  args: string;
  shared: string;
  folder: string;
}

/** Runs a command in one process, and in two of which one is killed as soon as there is a checkpoint, then resumed. */
async function survives(mpi: InstalledMpi, dir: string, { args, shared, folder }: Killed) {
  const alone = await genrec(dir, [...args.split(" "), "--out", "one"]);
  assert.equal(alone.code, 0, alone.stderr);
  const two = [...args.split(" "), ...shared.split(" "), "--out", "two"];
  const env = { RANK_FAULT: `1 killed ${join("two", folder, "latest")}` };
  const killed = await runRanks(mpi, 2, SCRIPT, two, { cwd: dir, env });
  assert.notEqual(killed.code, 0, "it had ended before it was killed");
  assert.doesNotMatch(killed.stderr, /^error: (?!Cannot go on)/m);
  const logged = (await new RunDirectory(join(dir, "two", folder)).logged()).length;
  const resumed = await runRanks(mpi, 2, SCRIPT, [...two, "--resume"], { cwd: dir });
  assert.equal(resumed.code, 0, resumed.stderr);
  const left = await leftBy(join(dir, "two", folder));
  assert.ok(logged < left.lines.length, "it had ended before it was killed");
  assert.deepEqual(left, await leftBy(join(dir, "one", folder)));
}

const shared = "--zero-stage 1";

testAnyMpi(
  "a baseline of two processes, one of which is killed, is resumed with the bytes of one",
  async (mpi) => {
    const args =
      "baseline --model sasrec --data synthetic --hidden-size 8 --num-hidden-layers 1 --batch-size 512 " +
      "--tokens-per-batch 1024 --num-train-epochs 4 --patience 0";
    await withFiles({}, (dir) => survives(mpi, dir, { args, shared, folder: "" }));
  },
);

testAnyMpi(
  "ETEGRec of two processes, one of which is killed, is resumed with the bytes of one",
  async (mpi) => {
    const args = "etegrec --data toys --embeddings collab.npy --gradient-accumulation-steps 2 --patience 0 " +
      [...TINY_FLAGS, "--num-train-epochs", "6"].join(" ");
    await withToys((dir) => survives(mpi, dir, { args, shared, folder: "joint" }));
  },
);

testAnyMpi("rl of two processes, one of which is killed, is resumed with the bytes of one", async (mpi) => {
  const args =
    "rl --run run --data data --num-generations 3 --prompts-per-step 4 --tokens-per-batch 64 --add-target " +
    "--max-steps 6 --num-train-epochs 40 --eval-steps 6 --eval-samples 4 --logging-steps 1 --save-steps 1";
  await withRun((dir) => survives(mpi, dir, { args, shared, folder: "" }));
});
