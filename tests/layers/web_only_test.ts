import assert from "node:assert/strict";
import { importsOf, read, roomOf, sources, targetOf, withoutComments } from "./imports.ts";

/** Rooms that run in browsers: nothing that they load may need Deno or Node. */
const WEB_ONLY = [
  "base",
  "kernels/gpu",
  "kernels",
  "models",
  "embed",
  "sid",
  "prompts",
  "decode",
  "eval",
  "rank",
  "web",
];

/** Text of a file, or undefined where there is none. */
type Reader = (path: string) => string | undefined;

/** What of Deno or Node a source uses itself; type imports do not count. */
function hostUse(source: string): string | undefined {
  const node = importsOf(source).find(({ specifier, typeOnly }) =>
    !typeOnly && specifier.startsWith("node:")
  );
  return node?.specifier ?? /\b(?:Deno\.\w+|process\.\w+|Buffer\.\w+)/.exec(withoutComments(source))?.[0];
}

/** The shortest chain of runtime imports from a file to one that uses Deno or Node, and what that one uses. */
function chainToHost(start: string, reader: Reader): string[] | undefined {
  const before = new Map<string, string>([[start, ""]]);
  for (const path of before.keys()) { // keys that are added on the way are visited too
    const source = reader(path);
    if (source === undefined) continue;
    const use = hostUse(source);
    if (use !== undefined) {
      const chain = [use];
      for (let at = path; at !== ""; at = before.get(at)!) chain.unshift(at);
      return chain;
    }
    for (const { specifier, typeOnly } of importsOf(source)) {
      const target = typeOnly ? undefined : targetOf(path, specifier);
      if (target?.endsWith(".ts") && !before.has(target)) before.set(target, path);
    }
  }
  return undefined;
}

Deno.test("rooms for browsers reach neither Deno nor Node", () => {
  const texts = new Map(sources.map((path) => [path, read(path)]));
  const chains = sources
    .filter((path) => WEB_ONLY.includes(roomOf(path)))
    .flatMap((path) => chainToHost(path, (path) => texts.get(path))?.join(" -> ") ?? []);
  assert.ok(
    chains.length === 0,
    `${chains.length} files of ${
      WEB_ONLY.join(", ")
    } need more than a browser has; let the caller read and write ` +
      `files and pass in bytes, text or a ReadFiles:\n${chains.join("\n")}`,
  );
});

Deno.test("chainToHost() follows runtime imports alone, to the nearest file that needs Deno or Node", () => {
  const texts: Record<string, string> = {
    "models/a.ts": 'import { b } from "./b.ts";\nimport type { Disk } from "../base/files/disk.ts";',
    "models/b.ts": 'export { c, type D } from "../data/c.ts"; // not Deno.args',
    "data/c.ts": 'const text = Deno.readTextFileSync("x");',
    "models/types.ts":
      'import type { Disk } from "../base/files/disk.ts";\nimport { type C } from "../data/c.ts";',
    "models/late.ts": 'const { join } = await import("node:path");',
    "base/files/disk.ts": 'import { open } from "node:fs/promises";',
  };
  const chain = (path: string) => chainToHost(path, (path) => texts[path])?.join(" -> ");
  assert.equal(chain("models/a.ts"), "models/a.ts -> models/b.ts -> data/c.ts -> Deno.readTextFileSync");
  assert.equal(chain("models/late.ts"), "models/late.ts -> node:path");
  assert.equal(chain("base/files/disk.ts"), "base/files/disk.ts -> node:fs/promises");
  assert.equal(chain("models/types.ts"), undefined);
});
