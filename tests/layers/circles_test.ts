import assert from "node:assert/strict";
import { importsOf, read, sources, targetOf } from "./imports.ts";

/** Files by the files that they import. */
type Graph = ReadonlyMap<string, readonly string[]>;

/** Groups of files that reach each other, after Tarjan (1972): every group of two or more has a circle. */
function circles(graph: Graph): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string) => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const target of graph.get(path) ?? []) {
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path)!, low.get(target)!));
    }
    if (low.get(path) !== index.get(path)) return;
    const group = stack.splice(stack.indexOf(path));
    if (group.length > 1 || graph.get(path)?.includes(path)) found.push(group.sort());
  };
  for (const path of graph.keys()) if (!index.has(path)) visit(path);
  return found;
}

/** One way round through a group: "a.ts -> b.ts -> a.ts". */
function wayRound(group: readonly string[], graph: Graph): string {
  const before = new Map<string, string>();
  const queue = [group[0]];
  for (const path of queue) {
    for (const target of graph.get(path)!.filter((target) => group.includes(target))) {
      if (before.has(target)) continue;
      before.set(target, path);
      queue.push(target);
    }
  }
  const way = [group[0]];
  do way.unshift(before.get(way[0])!); while (way[0] !== group[0]);
  return way.join(" -> ");
}

Deno.test("no circle of files, type imports included", () => {
  const graph = new Map(sources.map((path) => {
    const targets = importsOf(read(path)).map(({ specifier }) => targetOf(path, specifier));
    return [path, targets.filter((target) => target?.endsWith(".ts")) as string[]];
  }));
  const found = circles(graph).map((group) => wayRound(group, graph));
  assert.ok(
    found.length === 0,
    `${found.length} circles of files; move what both sides use, often a type, to a file that both import:\n` +
      found.join("\n"),
  );
});

Deno.test("circles() finds the circle of three and the file that imports itself, and prints one way round", () => {
  const graph = new Map([
    ["a.ts", ["b.ts", "d.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["a.ts", "d.ts"]],
    ["d.ts", ["e.ts"]],
    ["e.ts", ["e.ts"]],
  ]);
  assert.deepEqual(circles(graph).map((group) => wayRound(group, graph)), [
    "e.ts -> e.ts",
    "a.ts -> b.ts -> c.ts -> a.ts",
  ]);
  assert.deepEqual(circles(new Map([["a.ts", ["b.ts", "c.ts"]], ["b.ts", ["c.ts"]], ["c.ts", []]])), []);
});
