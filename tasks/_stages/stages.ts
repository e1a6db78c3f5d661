import { basename, dirname } from "node:path";
import { existsSync } from "node:fs";
import { stringify } from "yaml";
import { makeFolder } from "../../base/files/line_file.ts";
import { OutputLock } from "../../base/files/output/lock.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { trimDevices } from "../_cli/open_devices.ts";

/** One of the tasks that a task of several runs, after one another. */
export interface PipelineStage {
  /** What it does, in the user's words. */
  readonly title: string;
  /** Does it, or what an earlier run left of it. */
  run(io: TaskIO): Promise<void>;
}

/** Runs stages in order, with a number before each title. False where the user stopped one; the same command goes on. */
export async function runStages(stages: readonly PipelineStage[], io: TaskIO): Promise<boolean> {
  const inner: TaskIO = { ...io, json: false, log: (line) => io.log("    " + line) };
  for (const [i, { title, run }] of stages.entries()) {
    io.log(`${i + 1}. ${title}`);
    await run(inner);
    trimDevices();
    if (io.signal.aborted) {
      io.log("Stopped. The same command goes on from here.");
      return false;
    }
  }
  return true;
}

/** Says how to do a stage by itself. */
export function byHand(io: TaskIO, line: string): void {
  io.log(`By hand: ./genrec ${line}`);
}

/**
 * A training into `folder` that goes on where it was stopped. `folder`.yaml has its settings, for doing it by hand;
 * `folder`.done tells that it has ended.
 */
export async function trainingStage(
  task: string,
  folder: string,
  settings: Record<string, unknown>,
  io: TaskIO,
  run: (resume: boolean) => Promise<unknown>,
): Promise<void> {
  const file = `${folder}.yaml`, done = `${folder}.done`;
  await makeFolder(dirname(folder));
  await writeAtomic(file, stringify(settings));
  byHand(io, `${task} --config ${file}`);
  if (existsSync(done)) return io.log(`Already in ${folder}`);
  await using _lock = await OutputLock.take(folder, basename(folder));
  const resume = existsSync(`${folder}/latest`);
  // A run that stopped before its first checkpoint has nothing to go on from.
  if (!resume && existsSync(folder)) await Deno.remove(folder, { recursive: true });
  await run(resume);
  if (!io.signal.aborted) await writeAtomic(done, "");
}
