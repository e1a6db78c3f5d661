import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { loadTask, registry, type TaskName } from "../tasks/registry.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Rooms from the ground up: each may import itself and those before it. `kernels/gpu` and `base/files` are rooms too. */
const ROOMS = [
  "base",
  "base/files",
  "kernels/gpu",
  "kernels",
  "data",
  "models",
  "embed",
  "sid",
  "prompts",
  "decode",
  "eval",
  "train",
  "bench",
  "tasks",
];
const WEB_ONLY = ["base", "kernels/gpu", "kernels", "models", "embed", "sid", "prompts", "decode", "eval"];
const MAX_LINES = 500;

function filesIn(folder: string, extension: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(extension) && !name.includes("node_modules"))
    .map((name) => join(folder, name))
    .sort();
}

const read = (path: string) => Deno.readTextFileSync(join(root, path));

/** Source without comments and without the insides of template strings' text; enough for lines of code. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;{(])\/\/[^\n]*/g, "$1");
}

/** Specifiers of static, dynamic and re-exporting imports, and of `new URL("x.ts", import.meta.url)`. */
function specifiers(source: string): string[] {
  const patterns = [
    /\b(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
    /\bnew URL\(\s*["']([^"']+\.ts)["']/g,
  ];
  const code = withoutComments(source);
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]));
}

/** The innermost room of a file. */
function roomOf(path: string): string {
  const rooms = ROOMS.filter((room) => path.startsWith(`${room}/`));
  return rooms.reduce((longest, room) => room.length > longest.length ? room : longest, "");
}

function violations(path: string, source: string): string[] {
  const folder = roomOf(path);
  const found: string[] = [];
  for (const specifier of specifiers(source)) {
    if (specifier.startsWith("node:") && WEB_ONLY.includes(folder)) {
      found.push(`${path} imports ${specifier}: ${folder}/ uses web APIs only`);
    }
    if (!specifier.startsWith(".")) continue;
    const target = relative(root, join(root, dirname(path), specifier));
    if (target === "deno.json" || target === "mod.ts") continue;
    const before = ROOMS.slice(0, ROOMS.indexOf(folder) + 1);
    if (!before.includes(roomOf(target))) {
      found.push(`${path} imports ${target}: ${folder}/ may import ${before.join(", ")}`);
    }
  }
  if (WEB_ONLY.includes(folder) && /\b(?:Deno\.|process\.|Buffer\.)/.test(withoutComments(source))) {
    found.push(`${path} uses Deno or Node: ${folder}/ uses web APIs only`);
  }
  return found;
}

const TOP = ROOMS.filter((room) => !room.includes("/"));
const sources = TOP.flatMap((folder) => filesIn(folder, ".ts"));

Deno.test("imports point one way", () => {
  assert.ok(sources.length > 50, `only ${sources.length} sources found`);
  assert.deepEqual(sources.flatMap((path) => violations(path, read(path))), []);
});

Deno.test("violations() sees every way to import the wrong way", () => {
  const wrong = [
    'import { sft } from "../train/sft/sft.ts";',
    'import {\n  a,\n  b,\n} from "../eval/metrics.ts";',
    'export { x } from "../tasks/main.ts";',
    'const { x } = await import("../web/page.ts");',
    'import "../sid/trie.ts";',
    'import { join } from "node:path";',
    'const text = Deno.readTextFileSync("x");',
  ];
  for (const source of wrong) assert.equal(violations("models/x.ts", source).length, 1, source);
  assert.deepEqual(violations("models/x.ts", 'import { a } from "../data/a.ts"; // not Deno.args'), []);
});

Deno.test("every .wgsl file is imported by a .ts file", () => {
  const imported = new Set(
    sources.flatMap((path) => specifiers(read(path)).map((specifier) => join(dirname(path), specifier))),
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

Deno.test("every task loads under its own name and has a line in deno.json", async () => {
  const { tasks } = JSON.parse(read("deno.json"));
  for (const name of Object.keys(registry) as TaskName[]) {
    const task = await loadTask(name);
    assert.equal(task.name, name);
    assert.equal(tasks[name], `deno run -A tasks/main.ts ${name}`);
  }
});

Deno.test("the lock file names no registry host", () => {
  assert.doesNotMatch(read("deno.lock"), /https?:\/\//);
});
