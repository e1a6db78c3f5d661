import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { diskReason } from "../../base/files/write_atomic.ts";
import { checkpointOf } from "../runs/checkpoints.ts";
import { readRunFolder } from "../runs/run_folder.ts";

/** What recommending does not read: logs, what training goes on from, evaluations. */
const LEFT_OUT = /^(metrics\.jsonl|trainer.*|tensorboard|wandb|eval.*|failed-batch-.*|.*\.(tmp|old|lock))$/;

/**
 * Copies what a run needs to recommend into the folder `to`: of its checkpoints the best one. Files are linked where both
 * lie on one disk, since runs replace their files and never change them, so a copy costs no room there.
 */
export async function copyRun(from: string, to: string): Promise<void> {
  const { path, names, home } = await readRunFolder(from);
  if (home) {
    throw new UserError(
      `Cannot keep ${from} as part of a run: it is a checkpoint of ${home.path}. Name that run`,
    );
  }
  const kept = names.includes("checkpoints") ? (await checkpointOf(path, "best")).checkpoint : undefined;
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    const [source, target] = [join(path, name), join(to, name)];
    if (LEFT_OUT.test(name) || name === "latest" || name === "best") continue;
    if (!isDirectory) await linkOrCopy(source, target);
    else if (name !== "checkpoints") await copyFolder(source, target);
    else await copyFolder(join(source, kept!), join(target, kept!));
  }
  if (kept === undefined) return;
  for (const pointer of ["latest", "best"]) await Deno.writeTextFile(join(to, pointer), `${kept}\n`);
}

/** A folder in a run: a checkpoint, a stage, which is a run itself, or a run that it is made of. */
async function copyFolder(from: string, to: string): Promise<void> {
  const names = await Array.fromAsync(Deno.readDir(from), ({ name }) => name);
  if (names.includes("checkpoints")) return await copyRun(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (LEFT_OUT.test(name)) continue;
    await (isDirectory ? copyFolder : linkOrCopy)(join(from, name), join(to, name));
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await Deno.link(from, to);
  } catch {
    await Deno.copyFile(from, to).catch((error) => {
      throw new UserError(
        `Cannot copy ${from} to ${to}: ${diskReason(error)}. Make room, or name another --out`,
      );
    });
  }
}
