/**
 * Gives the folder `fresh` the name `target`, in place of what is there, which is removed. On Linux and macOS both
 * change names in one step, so that no moment is without either. Where the file system cannot, or Deno may not call the
 * system, the old one makes way to `aside` first: who is killed in the microseconds until the new one has its name
 * leaves none, and {@link recoverFolder} puts the old one back.
 */
export async function putInPlace(fresh: string, target: string, aside: string): Promise<void> {
  await removeFolder(aside);
  if (exchange(fresh, target)) return await removeFolder(fresh);
  for (;;) {
    await Deno.rename(target, aside).catch(ignoreMissing);
    try {
      await Deno.rename(fresh, target);
      return await removeFolder(aside);
    } catch (error) {
      // A reader may just have put the old one back.
      if (await isMissing(target) || await isMissing(fresh)) throw error;
    }
  }
}

/** Puts back what a killed {@link putInPlace} left aside. */
export async function recoverFolder(target: string, aside: string): Promise<void> {
  if (!await isMissing(target) || await isMissing(aside)) return;
  // A writer that lives, or another reader, may have been faster.
  await Deno.rename(aside, target).catch(() => {});
}

async function isMissing(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}

/** Removes a folder with all that is in it, where there is one. */
export async function removeFolder(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Whether two paths now have each other's content. False where one is missing, or the system has no such call. */
function exchange(a: string, b: string): boolean {
  const [left, right] = [a, b].map((path) => new TextEncoder().encode(path + "\0"));
  try {
    if (Deno.build.os === "linux") {
      const library = Deno.dlopen("libc.so.6", {
        renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
      });
      // AT_FDCWD is -100: paths are relative to the current folder; RENAME_EXCHANGE is 2.
      const result = library.symbols.renameat2(-100, left, -100, right, 2);
      library.close();
      return result === 0;
    }
    if (Deno.build.os === "darwin") {
      const library = Deno.dlopen("libSystem.dylib", {
        renamex_np: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
      });
      const result = library.symbols.renamex_np(left, right, 2); // RENAME_SWAP
      library.close();
      return result === 0;
    }
  } catch {
    // No such library, no such function, or no right to call it.
  }
  return false;
}
