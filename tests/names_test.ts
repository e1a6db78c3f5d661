import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Names that many files define because each fills the same place in one interface. */
const SIBLINGS: Record<string, RegExp> = {
  /** The kernel test reads them by way of `kernels/registry.ts`, which names each after its kernel. */
  spec: /^kernels\/.*\.ts$/,
  /** `tasks/registry.ts` loads each module and takes this from it. */
  task: /^tasks\/(?:_build\/|_export\/|_generate\/|_plan\/|_stages\/|_studio\/)?\w+\.ts$/,
};

/** Where a name is defined, by name. */
function definitions(files: readonly { path: string; source: string }[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const definition =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm;
  for (const { path, source } of files) {
    // A type beside a value of its name is one thing, as are the overloads of a function.
    for (const name of new Set([...source.matchAll(definition)].map((match) => match[1]))) {
      found.set(name, [...found.get(name) ?? [], path]);
    }
  }
  return found;
}

function duplicates(files: readonly { path: string; source: string }[]): string[] {
  return [...definitions(files)]
    .filter(([name, paths]) => paths.length > 1 && !paths.every((path) => SIBLINGS[name]?.test(path)))
    .map(([name, paths]) =>
      `${name} is defined in ${
        paths.join(" and ")
      }: one name means one thing. Say in the name what sets them apart, ` +
      "or import the one that is there"
    );
}

Deno.test("one name means one thing: no two files export a definition of the same name", () => {
  const rooms = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "tests")
    .map(({ name }) => name);
  const files = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
      .map((name) => ({ path: `${room}/${name}`, source: Deno.readTextFileSync(join(root, room, name)) }))
  );
  assert.ok(files.length > 400, `only ${files.length} sources found`);
  assert.deepEqual(duplicates(files), []);
});

Deno.test("duplicates() sees a second definition, whatever its kind, and lets siblings be", () => {
  const of = (...sources: [string, string][]) =>
    duplicates(sources.map(([path, source]) => ({ path, source })));
  assert.deepEqual(
    of(["eval/a.ts", "export function gini(a: number) {}"], ["sid/b.ts", "export const gini = 1;"]),
    [
      "gini is defined in eval/a.ts and sid/b.ts: one name means one thing. Say in the name what sets them apart, " +
      "or import the one that is there",
    ],
  );
  assert.equal(
    of(["a.ts", "export abstract class X {}"], ["b.ts", "export async function X() {}"]).length,
    1,
  );
  assert.deepEqual(of(["a.ts", "export const X = 1;\nexport type X = 1;"], ["b.ts", "const X = 2;"]), []);
  assert.deepEqual(
    of(["tasks/a.ts", "export const task = 1;"], ["tasks/b.ts", "export const task = 2;"]),
    [],
  );
  assert.equal(
    of(["tasks/a.ts", "export const task = 1;"], ["eval/b.ts", "export const task = 2;"]).length,
    1,
  );
});
