import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Folder for what can be made again (tuned kernels, unpacked files): GENREC_CACHE, else XDG, else ~/.cache/genrec. */
export function cacheFolder(env: (name: string) => string | undefined = Deno.env.get): string {
  const own = env("GENREC_CACHE");
  if (own) return own;
  const xdg = env("XDG_CACHE_HOME");
  if (xdg) return join(xdg, "genrec");
  const home = env("HOME") ?? env("USERPROFILE");
  return home
    ? join(home, ".cache", "genrec")
    : join(env("TMPDIR") ?? "/tmp", `genrec-${Deno.uid() ?? "user"}`);
}

/**
 * Makes the cache, for this user alone where it is new. False where it cannot be made, or is not to be trusted: it
 * belongs to another user than this one or root, or anybody can write to it.
 */
export function claimCache(folder: string = cacheFolder()): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (Deno.build.os === "windows") return true;
    const { uid, mode } = statSync(folder);
    return (uid === Deno.uid() || uid === 0) && (mode & 0o002) === 0;
  } catch {
    return false;
  }
}
