// An evaluation by several processes, on each MPI that is installed.
import assert from "node:assert/strict";
import { join } from "node:path";
import { runRanks, testMpi } from "../../base/mpi/installed.ts";
import { filesIn, genrec, withRun } from "../../tasks/genrec.ts";

const SCRIPT = "tests/scenarios/ranks/main_script.ts";
const EVALUATE = "evaluate --run run --data data --beams 3 --split train".split(" ");

/** What an evaluation says, the time of a user left out. */
function reportIn(folder: string): unknown {
  const { secondsPerUser: _, ...report } = JSON.parse(Deno.readTextFileSync(join(folder, "metrics.json")));
  return report;
}

testMpi("users dealt over two processes are merged to the files of one", async (mpi) => {
  await withRun(async (dir) => {
    const one = await genrec(dir, [...EVALUATE, "--out", "one"]);
    assert.equal(one.code, 0, one.stderr);
    const two = await runRanks(mpi, 2, SCRIPT, [...EVALUATE, "--out", "two"], { cwd: dir });
    assert.equal(two.code, 0, two.stderr);
    const rows = (folder: string) => Deno.readTextFile(join(dir, folder, "predictions.jsonl"));
    assert.equal(await rows("two"), await rows("one"));
    assert.deepEqual(reportIn(join(dir, "two")), reportIn(join(dir, "one")));
    assert.deepEqual(filesIn(join(dir, "two")), filesIn(join(dir, "one")), "no shard is left");
    assert.equal(two.stdout.match(/^Wrote two\/metrics\.json/gm)?.length, 1);
  });
});

testMpi("an evaluation by several processes takes no shards, and says so once", async (mpi) => {
  await withRun(async (dir) => {
    const { code, stderr } = await runRanks(mpi, 2, SCRIPT, [...EVALUATE, "--out", "two", "--shards", "2"], {
      cwd: dir,
    });
    assert.notEqual(code, 0);
    assert.match(
      stderr,
      /^error: Cannot use --shards 2 with 2 processes, which have a shard each: leave it out$/m,
    );
    assert.equal(stderr.match(/^error: /gm)?.length, 1, stderr);
  });
});
