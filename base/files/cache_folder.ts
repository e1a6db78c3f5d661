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
