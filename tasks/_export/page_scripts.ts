import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Scripts of pages by their names, and the modules that they are made of. */
export const PAGE_SCRIPTS = {
  "page.js": "web/page/main.ts",
  "worker.js": "web/worker/main.ts",
  "offline.js": "web/offline/main.ts",
  "studio.js": "web/studio/main.ts",
};

/** Name of a script. */
export type PageScript = keyof typeof PAGE_SCRIPTS;

/** Folder of scripts that are made already, beside the code of an executable. */
export const MADE_SCRIPTS = "web";

/** Scripts by their names: bundled from the sources, or those that were put into the executable. */
export async function pageScripts(
  names: readonly PageScript[],
  signal?: AbortSignal,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  // In an executable all code is tasks/main.js.
  const made = fileURLToPath(new URL(`../${MADE_SCRIPTS}`, import.meta.url));
  const isClone = names.every((name) => existsSync(join(root, PAGE_SCRIPTS[name])));
  if (!isClone) return new Map(names.map((name) => [name, Deno.readFileSync(join(made, name))]));
  const work = Deno.makeTempDirSync({ prefix: "genrec-page-" });
  try {
    await bundleScripts(names, root, work, signal);
    return new Map(names.map((name) => [name, Deno.readFileSync(join(work, name))]));
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

/** Bundles scripts into the folder `out`. */
export async function bundleScripts(
  names: readonly PageScript[],
  root: string,
  out: string,
  signal?: AbortSignal,
): Promise<void> {
  for (const name of names) {
    const args = [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--minify",
      "--output",
      join(out, name),
      PAGE_SCRIPTS[name],
    ];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root, signal }).output();
    if (!success) throw new Error(`deno bundle failed: ${new TextDecoder().decode(stderr)}`);
  }
}
