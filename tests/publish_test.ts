// The package as JSR takes it. Both commands need no network.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

async function deno(...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("every name that mod.ts exports is documented, and so is what it refers to", async () => {
  const { code, output } = await deno("doc", "--lint", "mod.ts");
  assert.equal(code, 0, output);
});

Deno.test("deno publish accepts the package, types and shaders included, no tests and no specs of kernels", async () => {
  // The rest of the suite checks types.
  const { code, output } = await deno("publish", "--dry-run", "--allow-dirty", "--no-check");
  assert.equal(code, 0, output);
  const prefix = new URL("..", import.meta.url).href;
  const files = output.split("\n").map((line) => line.trim()).filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length).replace(/ \(.*/, ""));
  for (const wanted of ["mod.ts", "kernels/matmul/tiles.wgsl", "train/sft/sft.ts"]) {
    assert.ok(files.includes(wanted), `${wanted} is not published:\n${output}`);
  }
  assert.deepEqual(files.filter((path) => /^(tests|tasks|bench|runs|dist)\//.test(path)), []);
  assert.deepEqual(
    files.filter((path) => /_spec\.ts$/.test(path) || path === "kernels/registry.ts"),
    [],
    "specs of kernels are for tests: publish.exclude of deno.json names them",
  );
});
