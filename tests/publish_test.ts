// The package as JSR takes it. Both commands need no network.
import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import { importsOf, read, root, sources, targetOf, TOP } from "./layers/imports.ts";

async function deno(...args: string[]): Promise<{ code: number; printed: string; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const printed = new TextDecoder().decode(stdout);
  return { code, printed, output: printed + new TextDecoder().decode(stderr) };
}

/** Every entry of the package: mod.ts, and one a room. */
const entries = Object.values(manifest.exports).map((path) => path.slice(2));

Deno.test("every name that the package exports is documented, and so is what it refers to", async () => {
  const { code, output } = await deno("doc", "--lint", ...entries);
  assert.equal(code, 0, output);
});

Deno.test("the pages of deno doc are made without errors", async () => {
  const folder = await Deno.makeTempDir({ prefix: "genrec-doc-" });
  try {
    const { code, output } = await deno("doc", "--html", `--output=${folder}`, ...entries);
    assert.equal(code, 0, output);
    for (const room of ["base", "kernels", "train"]) {
      assert.ok((await Deno.stat(join(folder, room))).isDirectory);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every room that programs use is an entry of the package, which no file of ours imports", () => {
  const rooms = [...TOP, "base/files", "base/mpi"].filter((room) =>
    !["web", "bench", "tasks"].includes(room)
  );
  assert.deepEqual(entries.toSorted(), ["mod.ts", ...rooms.map((room) => `${room}/mod.ts`)].toSorted());
  const importers = sources.filter((path) => !entries.includes(path)).flatMap((path) =>
    importsOf(read(path)).filter(({ specifier }) => entries.includes(targetOf(path, specifier) ?? ""))
      .map(({ specifier }) => `${path} imports ${specifier}: import from the file that defines the name`)
  );
  assert.deepEqual(importers, []);
});

Deno.test("what the package exports needs no deno.json, which packages of npm lack", () => {
  const reached = new Set(entries);
  const importers: string[] = [];
  for (const path of reached) {
    for (const { specifier } of importsOf(read(path))) {
      const target = targetOf(path, specifier);
      if (target === "deno.json") importers.push(path);
      else if (target?.endsWith(".ts")) reached.add(target);
    }
  }
  assert.ok(reached.size > 200, `${reached.size} files`);
  assert.deepEqual(importers, []);
});

Deno.test("mod.ts has what a program usually needs: at most 85 names", async () => {
  const { printed } = await deno("doc", "--json", "mod.ts");
  const [{ symbols }] = Object.values<{ symbols: { name: string }[] }>(JSON.parse(printed).nodes);
  const names = symbols.map(({ name }) => name);
  assert.ok(names.includes("openRun"));
  assert.ok(names.length <= 85, `mod.ts has ${names.length} names: leave the rest to the mod.ts of the room`);
});

Deno.test("deno publish accepts the package, types and shaders included, no tests and no specs of kernels", async () => {
  // The rest of the suite checks types.
  const { code, output } = await deno("publish", "--dry-run", "--allow-dirty", "--no-check");
  assert.equal(code, 0, output);
  const prefix = new URL("..", import.meta.url).href;
  const files = output.split("\n").map((line) => line.trim()).filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length).replace(/ \(.*/, ""));
  for (const wanted of ["mod.ts", "kernels/matmul/registers/tiles.wgsl", "train/sft/sft.ts"]) {
    assert.ok(files.includes(wanted), `${wanted} is not published:\n${output}`);
  }
  assert.deepEqual(files.filter((path) => /^(tests|tasks|web|bench|runs|dist)\//.test(path)), []);
  assert.deepEqual(
    files.filter((path) => /_spec\.ts$/.test(path) || path === "kernels/registry.ts"),
    [],
    "specs of kernels are for tests: publish.exclude of deno.json names them",
  );
});
