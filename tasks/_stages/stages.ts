import { basename, dirname } from "node:path";
import { existsSync } from "node:fs";
import { stringify } from "yaml";
import type { z } from "zod";
import { makeFolder } from "../../base/files/line_file.ts";
import { OutputLock } from "../../base/files/output/lock.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { parseArgs, settingsOfTask, type Task, type TaskIO } from "../_cli/cli.ts";
import { trimDevices } from "../_cli/open_devices.ts";

/** What a stage is given of the task that runs it, whose name and flags are the user's. */
export interface StageIO extends TaskIO {
  readonly whole: Pick<Task, "name" | "config">;
}

/** One of the tasks that a task of several runs, after one another. */
export interface PipelineStage {
  /** What it does, in the user's words. */
  readonly title: string;
  /** Does it, or what an earlier run left of it. */
  run(io: StageIO): Promise<void>;
}

/** Runs stages of `whole` in order, with a number before each title. False where the user stopped one; the same command goes on. */
export async function runStages(
  stages: readonly PipelineStage[],
  whole: StageIO["whole"],
  io: TaskIO,
): Promise<boolean> {
  const inner: StageIO = { ...io, whole, json: false, log: (line) => io.log("    " + line) };
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

/** How to do a stage otherwise than by its settings, where its task advises that. */
export interface StageOptions {
  /** What else the user of the whole may do, after "or". */
  instead?: string;
}

/**
 * A training into `folder` that goes on where it was stopped. `folder`.yaml has its settings, for doing it by hand, and
 * counts where somebody changed it; `folder`.done tells that it has ended. Of flags that messages of `task` name and the
 * whole has not, it says where they are.
 */
export async function trainingStage<S extends z.ZodObject>(
  task: Task<S>,
  folder: string,
  settings: Record<string, unknown>,
  io: StageIO,
  run: (config: z.output<S>, io: StageIO, resume: boolean) => Promise<unknown>,
  { instead }: StageOptions = {},
): Promise<void> {
  const file = `${folder}.yaml`, done = `${folder}.done`;
  await makeFolder(dirname(folder));
  if (!existsSync(file)) await writeAtomic(file, stringify(settings));
  byHand(io, `${task.name} --config ${file}`);
  if (existsSync(done)) return io.log(`Already in ${folder}`);
  await using _lock = await OutputLock.take(folder, basename(folder));
  const resume = existsSync(`${folder}/latest`);
  // A run that stopped before its first checkpoint has nothing to go on from.
  if (!resume && existsSync(folder)) await Deno.remove(folder, { recursive: true });
  const said: string[] = [];
  const heard: StageIO = { ...io, log: (line) => (said.push(line), io.log(line)) };
  const elsewhere = (text: string, left: readonly string[]) => {
    const keys = keysElsewhere(text, task, io.whole);
    if (keys.length === 0) return "";
    const there = left.filter(existsSync);
    const anew = there.length > 0 ? `, delete ${there.join(" and ")},` : "";
    return `\`genrec ${io.whole.name}\` has no such flag: change ${file}${anew} and start the same command again to ` +
      `set ${keys.join(", ")}${instead === undefined ? "" : `, or ${instead}`}`;
  };
  try {
    const { config } = parseArgs(task, ["--config", file])!;
    await run(config, heard, resume);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const where = elsewhere(error.message, [folder]);
    throw where === "" ? error : new UserError(`${error.message}. ${where}`, { cause: error });
  }
  if (io.signal.aborted) return;
  await writeAtomic(done, "");
  const where = elsewhere(said.join("\n"), [folder, done]);
  if (where !== "") io.log(where);
}

/** Settings of `task` whose flags a text names beside those of whole commands, where `whole` has none of that name. */
function keysElsewhere(text: string, task: Pick<Task, "config">, whole: Pick<Task, "config">): string[] {
  const prose = text.replaceAll(/`(\.\/)?genrec [^`]*`|\bgenrec .*/g, "");
  const named = new Set(prose.match(/(?<![\w-])--[a-z][a-z-]*/g));
  const own = new Set(settingsOfTask(whole).map(({ flag }) => flag));
  return settingsOfTask(task).filter(({ flag }) => named.has(flag) && !own.has(flag)).map(({ key }) => key);
}
