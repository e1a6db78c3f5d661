import assert from "node:assert/strict";
import { runRanks, testMpi } from "./installed.ts";

const SCRIPT = "tests/base/mpi/rank_script.ts";

testMpi("three ranks get what the others sent, by rank", async (mpi) => {
  const { code, stdout, stderr } = await runRanks(mpi, 3, SCRIPT, []);
  assert.equal(code, 0, stderr);
  const found = stdout.trim().split("\n").map((line) => JSON.parse(line)).sort((a, b) => a.rank - b.rank);
  assert.deepEqual(found.map(({ rank, size }) => [rank, size]), [[0, 3], [1, 3], [2, 3]]);
  const third = Math.fround(Math.fround(0.1) + Math.fround(0.2));
  for (const { texts, all, sum, places } of found) {
    assert.deepEqual(sum, [1 + 2 ** -23, 1, third]);
    assert.deepEqual(texts, ["", "x", "xx"]);
    assert.deepEqual(all, [0.5, 1.5, 2.5]);
    assert.deepEqual(places.map(({ localRank }: { localRank: number }) => localRank), [0, 1, 2]);
  }
  assert.deepEqual(found.map(({ received }) => received), [
    [0, 0, 10, 10, 20, 20],
    [1, 1, 11, 11, 21, 21],
    [2, 2, 12, 12, 22, 22],
  ]);
});

testMpi("a rank that does not come is named once time is over", async (mpi) => {
  const startedAt = performance.now();
  const { code, stderr } = await runRanks(mpi, 3, SCRIPT, ["hang"], { env: { GENREC_RANK_TIMEOUT: "1" } });
  assert.notEqual(code, 0);
  assert.match(stderr, /error: Cannot go on: rank 1 on \S+ did not answer for 1 s while the others waited/);
  assert.ok(performance.now() - startedAt < 30_000);
});

testMpi("a library of another MPI than the launcher's is refused", async (mpi) => {
  const { code, stderr } = await runRanks(mpi, 2, SCRIPT, [], { env: { GENREC_MPI: mpi.otherLibrary } });
  assert.notEqual(code, 0);
  assert.match(stderr, /error: Cannot (work together: .* started 2 processes, of which|load MPI: none of)/);
});

testMpi("a timeout that is no number is refused", async (mpi) => {
  const { stderr } = await runRanks(mpi, 2, SCRIPT, [], { env: { GENREC_RANK_TIMEOUT: "soon" } });
  assert.match(
    stderr,
    /error: Cannot wait for other ranks for GENREC_RANK_TIMEOUT=soon seconds: expected a number/,
  );
});
