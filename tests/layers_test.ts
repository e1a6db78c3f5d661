import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { loadTask, registry, type TaskName } from "../tasks/registry.ts";
import { filesIn, importsOf, read, roomOf, ROOMS, root, sources, targetOf, TOP } from "./layers/imports.ts";

const MAX_LINES = 500;

/** Imports of a source that go from its room to one that is not before it. */
function violations(path: string, source: string): string[] {
  const room = roomOf(path);
  const before = ROOMS.slice(0, ROOMS.indexOf(room) + 1);
  return importsOf(source).flatMap(({ specifier }) => {
    const target = targetOf(path, specifier);
    if (target === undefined || target === "deno.json" || target === "mod.ts") return [];
    if (before.includes(roomOf(target))) return [];
    return [`${path} imports ${target}: ${room}/ may import ${before.join(", ")}`];
  });
}

Deno.test("imports point one way", () => {
  assert.ok(sources.length > 50, `only ${sources.length} sources found`);
  const found = sources.flatMap((path) => violations(path, read(path)));
  assert.ok(
    found.length === 0,
    `${found.length} imports go up; move what is needed to an earlier room, or pass it in:\n${
      found.join("\n")
    }`,
  );
});

Deno.test("violations() sees every way to import the wrong way", () => {
  const wrong = [
    'import { sft } from "../train/sft/sft.ts";',
    'import {\n  a,\n  b,\n} from "../eval/metrics.ts";',
    'export { x } from "../tasks/main.ts";',
    'const { x } = await import("../web/page.ts");',
    'import "../sid/trie.ts";',
    'import type { Run } from "../train/run/run.ts";',
    'const worker = new URL("../tasks/worker.ts", import.meta.url);',
  ];
  for (const source of wrong) assert.equal(violations("models/x.ts", source).length, 1, source);
  assert.deepEqual(violations("models/x.ts", 'import { a } from "../data/a.ts"; // not Deno.args'), []);
});

Deno.test("every .wgsl file is imported by a .ts file", () => {
  const imported = new Set(
    sources.flatMap((path) => importsOf(read(path)).map(({ specifier }) => join(dirname(path), specifier))),
  );
  const shaders = TOP.flatMap((folder) => filesIn(folder, ".wgsl"));
  assert.ok(shaders.length > 0);
  assert.deepEqual(shaders.filter((path) => !imported.has(path)), []);
});

Deno.test(`no source file has more than ${MAX_LINES} lines`, () => {
  const all = [...sources, ...filesIn("tests", ".ts"), "genrec"];
  const long = all.map((path) => ({ path, lines: read(path).split("\n").length }))
    .filter(({ lines }) => lines > MAX_LINES);
  assert.deepEqual(long, []);
});

const registries = sources.filter((path) => path.endsWith("/registry.ts") && !path.startsWith("tasks/"));

Deno.test("a registry is lines that re-export and nothing else", () => {
  const line = /export \{[\w\s,]+\} from "\.[^"]+\.ts";\n/g;
  for (const path of registries) {
    const rest = read(path).replace(line, "");
    assert.equal(rest, "", `${path}: move this beside it, into by_name.ts or the file of the type`);
  }
});

Deno.test("every registry re-exports what exists", async () => {
  assert.ok(registries.length > 10, `only ${registries.length} registries found`);
  for (const path of registries) {
    for (const [name, value] of Object.entries(await import(new URL(path, `file://${root}/`).href))) {
      assert.notEqual(value, undefined, `${path}: ${name}`);
    }
  }
});

Deno.test("the members of a registry have names of their own", async () => {
  for (const path of registries) {
    const members = Object.values(await import(new URL(path, `file://${root}/`).href)) as {
      name?: unknown;
    }[];
    const names = members.map(({ name }) => name).filter((name) => typeof name === "string");
    const twice = names.filter((name, i) => names.indexOf(name) !== i);
    assert.deepEqual(twice, [], `${path}: a name on the command line means one member`);
  }
});

Deno.test("every task loads under its own name, and `deno task` runs those that it names", async () => {
  const names = Object.keys(registry) as TaskName[];
  for (const name of names) assert.equal((await loadTask(name)).name, name);
  // `./genrec NAME` needs no line; one that is there runs what it says.
  const { tasks } = JSON.parse(read("deno.json")) as { tasks: Record<string, string> };
  const own = Object.entries(tasks).filter(([, command]) => command.includes("tasks/main.ts"));
  assert.ok(own.length > 10, `only ${own.length} tasks in deno.json`);
  for (const [name, command] of own) {
    assert.ok(names.includes(name as TaskName), `deno.json names ${name}, which is no task`);
    assert.equal(command, `deno run -A --no-prompt tasks/main.ts ${name}`);
  }
});

Deno.test("the lock file names no registry host", () => {
  assert.doesNotMatch(read("deno.lock"), /https?:\/\//);
});
