import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { read, root } from "../layers/imports.ts";

Deno.test("bench/gpu.sh packs tests and scripts that are there", () => {
  const script = read("bench/gpu.sh");
  const tests = /^TESTS="([^"]+)"/m.exec(script)![1].split(" ").map((name) => `tests/${name}.ts`);
  const scripts = [...script.matchAll(/deno bundle .* (\S+\.ts)$/gm)].map((match) => match[1]);
  assert.ok(tests.length >= 3 && scripts.length >= 3);
  assert.deepEqual([...tests, ...scripts].filter((path) => !existsSync(join(root, path))), []);
});
