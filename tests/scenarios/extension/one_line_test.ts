import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesIn, read, root, TOP } from "../../layers/imports.ts";
import { libraryPrograms } from "../../docs/markdown.ts";
import { MEMBERS } from "./members.ts";

const SOURCES = [...TOP.flatMap((room) => filesIn(room, "")), "deno.json", "deno.lock", "mod.ts"]
  .filter((path) => !path.includes("__pycache__") && Deno.statSync(join(root, path)).isFile);

/** Copies the rooms into `copy` and writes every member and its line there. */
function extend(copy: string): void {
  for (const path of [...SOURCES, "tests/kernel_check.ts", "tests/scenarios/extension/use.ts"]) {
    cpSync(join(root, path), join(copy, path));
  }
  for (const { files, registry, line } of MEMBERS) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(copy, dirname(path)), { recursive: true });
      assert.ok(!SOURCES.includes(path), `${path} is there already`);
      Deno.writeTextFileSync(join(copy, path), text);
    }
    const text = readFileSync(join(copy, registry), "utf8");
    // Tasks load when asked for: their registry is an object, the others are exports.
    const end = text.includes("export const registry") ? text.indexOf("\n};") + 1 : text.length;
    Deno.writeTextFileSync(join(copy, registry), `${text.slice(0, end)}${line}\n${text.slice(end)}`);
  }
}

async function deno(copy: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: copy,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, `deno ${args.join(" ")}\n${text}\n${new TextDecoder().decode(stderr)}`);
  return text;
}

/** Lines of `text` that `before` lacks; undefined unless they are all that differs. */
function addedLines(before: string, text: string): string[] | undefined {
  const left = before.split("\n");
  const added: string[] = [];
  for (const line of text.split("\n")) line === left[0] ? left.shift() : added.push(line);
  return left.length === 0 ? added : undefined;
}

Deno.test("a member of each kind is one module and one line: everything else finds it", async (t) => {
  const copy = await Deno.makeTempDir();
  try {
    extend(copy);
    // Programs of docs/guides/library.md too: one check of everything takes as long as one of a part.
    const programs = libraryPrograms();
    for (const { name, text } of programs) await Deno.writeTextFile(join(copy, name), text);
    const entries = ["tasks/main.ts", "kernels/registry.ts", ...programs.map(({ name }) => name)];
    const checked = deno(copy, ["check", "--quiet", ...entries]);
    const used = deno(copy, ["run", "-A", "--no-check", "tests/scenarios/extension/use.ts"]);
    await Promise.allSettled([checked, used]);
    await t.step(
      "types are checked, also of the programs of docs/guides/library.md",
      async () => void await checked,
    );
    let found: Record<string, unknown> = {};
    await t.step("a program and the command line run", async () => {
      found = JSON.parse((await used).split("\n").findLast((line) => line.startsWith("{"))!);
    });
    for (const { kind } of MEMBERS) {
      await t.step(`${kind}: does its work`, () => assert.equal(found[kind], "works"));
    }
    await t.step("no other file changed", () => {
      const lines: Record<string, string[]> = {};
      const changed = SOURCES.filter((path) => read(path) !== readFileSync(join(copy, path), "utf8"));
      for (const path of changed) {
        lines[path] = addedLines(read(path), readFileSync(join(copy, path), "utf8"))!;
      }
      assert.deepEqual(
        lines,
        Object.fromEntries(
          SOURCES.flatMap((path) => {
            const own = MEMBERS.filter(({ registry }) => registry === path).map(({ line }) => line);
            return own.length === 0 ? [] : [[path, own]];
          }),
        ),
      );
    });
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});
