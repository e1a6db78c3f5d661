import type { PieceFile } from "./pieces.ts";
import { UserError } from "../user_error.ts";

/**
 * Writes `path` by way of a temporary file that is synced and renamed. Throws {@link UserError}, which ends in `advice`,
 * when the disk refuses.
 */
export async function writeAtomic(
  path: string,
  content: string | Uint8Array | PieceFile,
  advice?: string,
): Promise<void> {
  await attempt(`write ${path}`, async () => {
    await leavingNothing(`${path}.tmp`, async () => {
      await writeSynced(`${path}.tmp`, content);
      await Deno.rename(`${path}.tmp`, path);
    });
  }, advice);
}

/**
 * Writes files that belong together, by path: none takes its name before all are on the disk, and then they do in order.
 * Throws {@link UserError} when the disk refuses; `what` names them.
 */
export async function writeTogether(
  what: string,
  files: readonly (readonly [path: string, content: string | Uint8Array | PieceFile])[],
): Promise<void> {
  await attempt(`write ${what}`, async () => {
    try {
      for (const [path, content] of files) await writeSynced(`${path}.tmp`, content);
      for (const [path] of files) await Deno.rename(`${path}.tmp`, path);
    } catch (error) {
      for (const [path] of files) await Deno.remove(`${path}.tmp`).catch(() => {}); // of those that are there
      throw error;
    }
  });
}

/** Removes what `work` left at `path` when it fails. */
export async function leavingNothing(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await Deno.remove(path, { recursive: true }).catch(() => {}); // the first error is the one to tell
    throw error;
  }
}

/** Writes a file, whole or piece by piece, and waits for the disk. */
export async function writeSynced(path: string, content: string | Uint8Array | PieceFile): Promise<void> {
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  try {
    if (typeof content === "string") await writeAll(file, new TextEncoder().encode(content));
    else if (content instanceof Uint8Array) await writeAll(file, content);
    else {
      for await (const { at, bytes } of content.pieces) {
        await file.seek(at, Deno.SeekMode.Start);
        await writeAll(file, bytes);
      }
    }
    await file.sync();
  } finally {
    file.close();
  }
}

/** Writes bytes at the place of a file, all of them. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Does what the disk may refuse: throws {@link UserError} then, `what` being the work in words, `advice` what to do. */
export async function attempt<T>(
  what: string,
  work: () => Promise<T>,
  advice = "Free some space, or name another --out",
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) throw error; // of what makes the files, not of the disk
    throw new UserError(`Cannot ${what}: ${diskReason(error)}. ${advice}`);
  }
}

/** What the disk said, in words. */
export function diskReason(error: unknown): string {
  return error instanceof Deno.errors.NotFound ? "no such file" : (error as Error).message;
}

/** Whether there is a file, and no folder, at a path. */
export async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((stat) => stat.isFile, () => false);
}
