import assert from "node:assert/strict";
import { genrec } from "./genrec.ts";
import { withSevenUsers } from "./seven_users.ts";

Deno.test("doctor lists the adapters with their numbers, and examines the one that --adapter names", async () => {
  const { code, stdout, stderr } = await genrec(".", ["doctor", "--json"]);
  assert.equal(code, 0, stderr);
  const { adapter, adapters } = JSON.parse(stdout);
  assert.deepEqual(adapters[0], { name: adapter.name, cpu: adapter.cpu });
  const last = adapters.length - 1;
  const chosen = await genrec(".", ["doctor", "--json", "--adapter", String(last)]);
  assert.equal(chosen.code, 0, chosen.stderr);
  assert.equal(JSON.parse(chosen.stdout).adapter.name, adapters[last].name);
  const named = await genrec(".", ["doctor", "--adapter", adapters[0].name.slice(0, 8).toLowerCase()]);
  assert.equal(named.code, 0, named.stderr);
  assert.match(named.stderr + named.stdout, /--adapter 0 +\S+/);
});

Deno.test("an unknown --adapter gets the list of adapters in every task, also from the processes of shards", async () => {
  const message = /Cannot find adapter "abacus": expected the number or a part of the name of 0 \S+/;
  await withSevenUsers(async (dir) => {
    for (
      const line of [
        "doctor",
        "sft --data data --out other --max-steps 1",
        "bench --quick --no-peers --rows matmul",
        "evaluate --run run --data data --out one",
        "evaluate --run run --data data --out two --shards 2 --beams 3",
      ]
    ) {
      const { code, stderr } = await genrec(dir, [...line.split(" "), "--adapter", "abacus"]);
      assert.equal(code, 1, line);
      assert.match(stderr, message, line);
    }
  });
});
