// Trainings of several processes from the command line, on each MPI that is installed.
import assert from "node:assert/strict";
import { join } from "node:path";
import { RunDirectory } from "../../../train/run/directory.ts";
import { type InstalledMpi, runRanks, testMpi } from "../../base/mpi/installed.ts";
import { formatIndex } from "../../../data/formats/index_file.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";
import { genrec } from "../../tasks/genrec.ts";

const SCRIPT = "tests/scenarios/ranks/main_script.ts";

/** Many short steps of four micro batches. */
const ARGS = ("sft --data synthetic --sids index.json --out run --hidden-size 16 --intermediate-size 16 " +
  "--num-hidden-layers 1 --num-attention-heads 2 --num-key-value-heads 2 --tokens-per-batch 64 " +
  "--gradient-accumulation-steps 4 --batch-size 0 --max-steps 40 --eval-steps 20 --eval-samples 16 --eval-beams 4 " +
  "--save-steps 4 --logging-steps 10").split(" ");

/** A folder with SIDs of the built-in dataset. */
async function withSids(use: (dir: string) => Promise<void>): Promise<void> {
  const sids = syntheticDataset().items.map((_, i) => [`<a_${i % 16}>`, `<b_${i >> 4}>`]);
  await withFiles({ "index.json": formatIndex(sids) }, use);
}

const ranks = (
  mpi: InstalledMpi,
  size: number,
  cwd: string,
  args: string[],
  env: Record<string, string> = {},
) => runRanks(mpi, size, SCRIPT, args, { cwd, env });

/** What a run leaves, its times left out. */
async function leftBy(dir: string) {
  const run = new RunDirectory(join(dir, "run"));
  const folder = await run.checkpoint("latest");
  const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
  return {
    lines,
    folder: folder.split("/").at(-1),
    model: await Deno.readFile(`${folder}/model.safetensors`),
  };
}

/** The run of one process that no launcher started; made once. */
let alone: ReturnType<typeof leftBy> | undefined;
const aloneRun = () =>
  alone ??= (async () => {
    let left: Awaited<ReturnType<typeof leftBy>>;
    await withSids(async (dir) => {
      const { code, stderr } = await genrec(dir, ARGS);
      assert.equal(code, 0, stderr);
      left = await leftBy(dir);
    });
    return left!;
  })();

testMpi(
  "a run of two processes that one is killed in is resumed by four, with the bytes of one process",
  async (mpi) => {
    await withSids(async (dir) => {
      const startedAt = performance.now();
      const killed = await ranks(mpi, 2, dir, ARGS, { RANK_FAULT: "1 killed run/latest" });
      assert.notEqual(killed.code, 0);
      assert.ok(performance.now() - startedAt < 30_000);
      // The launcher names the rank, or its process, which the first line has beside the rank.
      const said = killed.stdout + killed.stderr;
      const dead = said.match(/\bPID ([1-9]\d*)/)?.[1];
      assert.match(said, dead ? new RegExp(`rank 1 \\(process ${dead} on `) : /process rank 1 /);
      const resumed = await ranks(mpi, 4, dir, [...ARGS, "--resume"]);
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.match(resumed.stdout, /^Ranks 0, 1, 2, 3 compute on .* of .*: one adapter/m);
      assert.equal(resumed.stdout.match(/^Finished after/gm)?.length, 1, "the first rank alone speaks");
      assert.deepEqual(await leftBy(dir), await aloneRun());
    });
  },
);

testMpi("a rank that stands still is named, and the others end", async (mpi) => {
  await withSids(async (dir) => {
    const env = { RANK_FAULT: "1 stopped run/latest", GENREC_RANK_TIMEOUT: "2" };
    const { code, stderr } = await ranks(mpi, 2, dir, ARGS, env);
    assert.notEqual(code, 0);
    assert.match(
      stderr,
      /^error: Cannot go on: rank 1 on \S+ did not answer for 2 s while the others waited/m,
    );
  });
});

testMpi("a rank with another index is refused before the first step, by hash", async (mpi) => {
  await withSids(async (dir) => {
    await Deno.mkdir(join(dir, "other"));
    const sids = await Deno.readTextFile(join(dir, "index.json"));
    await Deno.writeTextFile(join(dir, "other/index.json"), sids + "\n");
    const { code, stderr } = await ranks(mpi, 2, dir, ARGS, { RANK_FAULT: "1 elsewhere other" });
    assert.notEqual(code, 0);
    const [, here, there] = stderr.match(
      /^error: Cannot train on 2 processes: the SHA-256 of index\.json is (\w{64}) on rank 1 \(\S+\) and (\w{64}) on rank 0\. Start/m,
    ) ?? assert.fail(stderr);
    assert.notEqual(here, there);
    await assert.rejects(Deno.stat(join(dir, "run")), Deno.errors.NotFound);
  });
});

testMpi(
  "processes that cannot train together are refused in one sentence, and nothing is written",
  async (mpi) => {
    await withSids(async (dir) => {
      const refuses = async (args: string[], message: RegExp) => {
        const { code, stderr } = await ranks(mpi, 2, dir, args);
        assert.notEqual(code, 0);
        assert.match(stderr, message);
        assert.equal(stderr.match(/^error: /gm)?.length, 1, stderr);
        await assert.rejects(Deno.stat(join(dir, "run")), Deno.errors.NotFound);
      };
      await refuses(
        [...ARGS, "--gradient-accumulation-steps", "1"],
        /the micro batches of a step, 1 of all processes together, would go to 1 of them\. Use --g/,
      );
      await refuses(
        ["sid", "--data", "synthetic", "--out", "run"],
        /Cannot run sid in 2 processes, which .* it works in one/,
      );
    });
  },
);
