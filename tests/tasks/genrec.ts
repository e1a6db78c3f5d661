// Runs the command line on a small dataset and a run that was trained on it.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Files, minionerecFiles, withFiles } from "../data/formats/minionerec/fixture.ts";

const main = fileURLToPath(new URL("../../tasks/main.ts", import.meta.url));

/** Starts `genrec args` in the folder `cwd`. */
export function spawn(cwd: string, args: string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, ...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Exit code and output of `genrec args` in the folder `cwd`. */
export async function genrec(cwd: string, args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await spawn(cwd, args, env).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Names below a folder, in order, folders with a slash; undefined where there is no folder. */
export function filesIn(folder: string, prefix = ""): string[] | undefined {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch {
    return undefined;
  }
  return entries.flatMap(({ name, isDirectory }) =>
    isDirectory
      ? [`${prefix}${name}/`, ...filesIn(join(folder, name), `${prefix}${name}/`)!]
      : [prefix + name]
  ).sort();
}

/** Runs `use` in a new folder with the four-item dataset of the fixture in `data/`, some of its files replaced. */
export async function withData(changes: Files, use: (dir: string) => Promise<void>): Promise<void> {
  const files = Object.entries({ ...minionerecFiles(), ...changes });
  await withFiles(Object.fromEntries(files.map(([name, text]) => [`data/${name}`, text])), use);
}

/** Command line that trains two steps on `data/` into `run/`. */
export const TINY_SFT = ("sft --data data --out run --max-steps 2 --hidden-size 16 --intermediate-size 16 " +
  "--num-hidden-layers 1 --num-attention-heads 2 --num-key-value-heads 2 --tokens-per-batch 64 --eval-beams 4")
  .split(" ");

let trained: Promise<string> | undefined;

/** Runs `use` in a folder with `data/` and `run/`, a copy of its own. */
export async function withRun(use: (dir: string) => Promise<void>): Promise<void> {
  await withFiles({}, async (dir) => {
    cpSync(await (trained ??= train()), dir, { recursive: true });
    await use(dir);
  });
}

async function train(): Promise<string> {
  const dir = await Deno.makeTempDir();
  addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  await withData({}, async (source) => {
    const { code, stderr } = await genrec(source, TINY_SFT);
    assert.equal(code, 0, stderr);
    cpSync(source, dir, { recursive: true });
  });
  return dir;
}
