import { basename } from "node:path";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { RunDirectory } from "../run/directory.ts";

/** Weights of a run. */
export interface CheckpointFolder {
  /** Folder of the weights. */
  folder: string;
  /** Its name. */
  checkpoint: string;
}

/** The checkpoint of a run that `which` means. Throws {@link UserError} where there is none. */
export async function checkpointOf(path: string, which: string): Promise<CheckpointFolder> {
  const directory = new RunDirectory(path);
  if (!await directory.hasCheckpoint()) {
    throw new UserError(`Cannot use run ${path}: it has no checkpoint yet. Go on with its training first`);
  }
  // `best` is the latest one where the run was never validated.
  const folder = await directory.checkpoint(
    which === "best" && !await isFile(`${path}/best`) ? "latest" : which,
  );
  const checkpoint = basename(folder);
  const kept: string[] = await Array.fromAsync(Deno.readDir(`${path}/checkpoints`), ({ name }) => name)
    .catch(() => []);
  if (!kept.includes(checkpoint)) {
    throw new UserError(
      `Cannot use checkpoint ${checkpoint} of run ${path}: it has ${kept.sort().join(", ") || "none"}`,
    );
  }
  return { folder, checkpoint };
}

/** A folder that is one model by itself. Throws {@link UserError} where `which` means another one. */
export function onlyCheckpoint(path: string, which: string): CheckpointFolder {
  if (which === "best" || which === basename(path)) return { folder: path, checkpoint: basename(path) };
  throw new UserError(
    `Cannot use checkpoint ${which} of ${path}: it is a model by itself. Leave out --checkpoint`,
  );
}
