// Runs tasks inside the test's own process.
import { ALONE } from "../../../base/parallel/world.ts";
import { join } from "node:path";
import type { z } from "zod";
import { writeNpy } from "../../../base/npy.ts";
import { parseArgs, type Task, type TaskIO } from "../../../tasks/_cli/cli.ts";
import { task } from "../../../tasks/sid.ts";
import { type Files, withFiles } from "../../data/formats/minionerec/fixture.ts";

/** Lines that `genrec sid args` prints. */
export function sid(...args: string[]): Promise<string[]> {
  return run(task, ...args);
}

/** Lines that a task prints. */
export async function run<S extends z.ZodObject>(task: Task<S>, ...args: string[]): Promise<string[]> {
  const lines: string[] = [];
  const io: TaskIO = {
    json: false,
    world: ALONE,
    signal: new AbortController().signal,
    log: (line) => lines.push(line),
    progress: () => ({ update() {}, stop() {} }),
  };
  await task.run(parseArgs(task, args)!.config, io);
  return lines;
}

/** Four far corners, each with four near ones around it: two levels of four codewords fit them. */
export const nested = [[0, 0], [100, 0], [0, 100], [100, 100]]
  .flatMap(([x, y]) => [[x - 4, y - 4], [x + 4, y - 4], [x - 4, y + 4], [x + 4, y + 4]]);

/** Runs `use` in a folder with files of text, and `.npy` files of rows. */
export function withMatrices(
  matrices: Record<string, number[][]>,
  texts: Files,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  return withFiles(texts, async (dir) => {
    for (const [name, rows] of Object.entries(matrices)) await Deno.writeFile(join(dir, name), npyOf(rows));
    await use(dir);
  });
}

/** A `.npy` file of rows. */
export function npyOf(rows: number[][]): Uint8Array {
  return writeNpy([rows.length, rows[0].length], Float32Array.from(rows.flat()));
}

/** JSON in a file. */
export async function readJsonIn(dir: string, name: string) {
  return JSON.parse(await Deno.readTextFile(join(dir, name)));
}
