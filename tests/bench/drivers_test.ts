import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { withFiles } from "../data/formats/minionerec/fixture.ts";

const SCRIPT = fileURLToPath(new URL("../../bench/drivers.ts", import.meta.url));

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", SCRIPT, ...args] });
  const { code, stdout, stderr } = await command.output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out, stderr: err };
}

Deno.test("--suite runs tests once a driver and says of each how many passed", async () => {
  await withFiles({ "driver.json": "{}" }, async (folder) => {
    // These tests open no adapter, so that any file passes for a driver.
    const args = ["--suite", "tests/bench/commits/history_test.ts", "--driver", `${folder}/driver.json`];
    const { code, stdout, stderr } = await run(...args, "--folder", folder);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^system driver: (\d+) passed, 0 failed\nother driver: \1 passed, 0 failed\n$/);
    const failing = ["--suite", "no such test", "--driver", `${folder}/driver.json`, "--folder", folder];
    assert.equal((await run(...failing)).code, 1);
  });
});

Deno.test("a driver that does not exist is refused", async () => {
  const { code, stderr } = await run("--driver", "/nowhere/lvp_icd.json");
  assert.equal(code, 1);
  assert.match(stderr, /Cannot use --driver \/nowhere\/lvp_icd.json: no such file/);
});
