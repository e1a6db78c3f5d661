import assert from "node:assert/strict";
import { agree, ranksHere } from "../../../base/parallel/agree.ts";
import { ALONE, gatherJson, placesOf } from "../../../base/parallel/world.ts";
import { worldsOf } from "./in_process.ts";

Deno.test("ranks that differ are refused by the first fact that does, and by rank", async () => {
  const facts = { "the SHA-256 of train.csv": "aa", "the version of genrec": "1" };
  await agree(ALONE, "train", facts);
  await Promise.all(worldsOf(3).map((world) => agree(world, "train", facts)));
  const ends = await Promise.allSettled(
    worldsOf(3).map((world) =>
      agree(world, "train", world.rank === 2 ? { ...facts, "the SHA-256 of train.csv": "bb" } : facts)
    ),
  );
  for (const end of ends) {
    assert.equal(
      (end as PromiseRejectedResult).reason.message,
      "Cannot train on 3 processes: the SHA-256 of train.csv is bb on rank 2 (here) and aa on rank 0. Start all of them " +
        "with the same program, settings and files",
    );
  }
  await assert.rejects(
    Promise.all(worldsOf(2).map((world) => agree(world, "train", world.rank === 0 ? facts : {}))),
    /train\.csv is missing on rank 1/,
  );
});

Deno.test("ranks are numbered on each machine", () => {
  const places = placesOf(["a", "b", "a", "a"].map((host) => ({ host, pid: 1 })));
  assert.deepEqual(places.map(({ localRank }) => localRank), [0, 0, 1, 2]);
  assert.equal(ranksHere({ ...ALONE, rank: 2, size: 4, places }), 3);
});

Deno.test("gathered numbers may be what JSON has not", async () => {
  const value = { loss: [NaN, Infinity, -Infinity, 0.1], text: "NaN", none: null };
  assert.deepEqual(await Promise.all(worldsOf(2).map((world) => gatherJson(world, value))), [[value, value], [
    value,
    value,
  ]]);
});
