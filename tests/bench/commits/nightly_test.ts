import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const SCRIPT = fileURLToPath(new URL("../../../bench/nightly.sh", import.meta.url));

Deno.test("bench/nightly.sh adds a line to the history, and exits with 1 where rows lost", async () => {
  await withFiles({}, async (folder) => {
    const history = join(folder, "bench.jsonl");
    const night = async (...flags: string[]) => {
      const args = ["--rows", "attention", "--repeats", "3", "--budget", "1", "--history", history, ...flags];
      const { code, stderr } = await new Deno.Command(SCRIPT, { args }).output();
      return { code, stderr: new TextDecoder().decode(stderr) };
    };
    const first = await night();
    assert.equal(first.code, 0, first.stderr);
    // As if it had taken a tenth of the time before.
    const text = await Deno.readTextFile(history);
    await Deno.writeTextFile(
      history,
      JSON.stringify(
        JSON.parse(text),
        (_, value) => Array.isArray(value) ? value.map((ms) => ms / 10) : value,
      ),
    );
    const second = await night();
    assert.equal(second.code, 1, second.stderr);
    assert.match(second.stderr, /Slower by 5 % or more than before: attention/);
    assert.equal((await Deno.readTextFile(history)).trim().split("\n").length, 2);
    const few = await night("--repeats", "2");
    assert.equal(few.code, 2);
    assert.match(few.stderr, /Cannot use --history with --repeats 2: a loss shows in 3 timings or more/);
  });
});
