import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../base/files/line_file.ts";
import { readText } from "../../base/files/text_file.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";

/** A folder that a task of several stages writes. */
export interface StagedFolder {
  /** The folder. */
  out: string;
  /** Name of the task, whose `task`.json in the folder holds `settings`. */
  task: string;
  /** What must be the same to go on in it. */
  settings: Record<string, unknown>;
  /** Files and folders that the stages write. */
  parts: readonly string[];
  /** Delete what an earlier run left. */
  force: boolean;
}

/** Whether the folder is new. Throws {@link UserError} if it holds anything but a run of this task and these settings. */
export async function claimFolder(folder: StagedFolder): Promise<boolean> {
  const { out, task, parts, force } = folder;
  const marker = join(out, `${task}.json`);
  const settings = JSON.stringify(folder.settings);
  if (existsSync(out) && !statSync(out).isDirectory()) {
    throw new UserError(`Cannot use ${out}: it is a file. Name a folder with --out`);
  }
  const exists = existsSync(marker);
  if (!exists && existsSync(out) && readdirSync(out).length > 0) {
    throw new UserError(
      `Cannot use ${out}: it holds files that are no \`genrec ${task}\`'s. Name another --out`,
    );
  }
  if (exists && !force) {
    const found = (await readText(marker)).trim();
    if (found === settings) return false;
    throw new UserError(
      `Cannot go on in ${out}: it holds a \`genrec ${task}\` of ${found}, these are ${settings}. Use --force to start ` +
        "over, or name another --out",
    );
  }
  if (exists) {
    for (const name of parts) {
      const path = join(out, name);
      if (existsSync(path)) await Deno.remove(path, { recursive: true });
    }
  }
  await makeFolder(out);
  await writeAtomic(marker, settings + "\n");
  return true;
}
