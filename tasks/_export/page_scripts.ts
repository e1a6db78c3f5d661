import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Scripts of a page by their names, and the modules that they are made of. */
export const PAGE_SCRIPTS = { "page.js": "web/page/main.ts", "worker.js": "web/worker/main.ts" };

/** Folder of scripts that are made already, beside the code of an executable. */
export const MADE_SCRIPTS = "web";

/** The scripts of a page by their names: bundled from the sources, or those that were put into the executable. */
export async function pageScripts(signal: AbortSignal): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  // In an executable all code is tasks/main.js.
  const made = fileURLToPath(new URL(`../${MADE_SCRIPTS}`, import.meta.url));
  const isClone = Object.values(PAGE_SCRIPTS).every((path) => existsSync(join(root, path)));
  const names = Object.keys(PAGE_SCRIPTS);
  if (!isClone) return new Map(names.map((name) => [name, Deno.readFileSync(join(made, name))]));
  const work = Deno.makeTempDirSync({ prefix: "genrec-page-" });
  try {
    await bundleScripts(root, work, signal);
    return new Map(names.map((name) => [name, Deno.readFileSync(join(work, name))]));
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

/** Bundles the scripts of a page into the folder `out`. */
export async function bundleScripts(root: string, out: string, signal: AbortSignal): Promise<void> {
  for (const [name, path] of Object.entries(PAGE_SCRIPTS)) {
    const args = [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--minify",
      "--output",
      join(out, name),
      path,
    ];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root, signal }).output();
    if (!success) throw new Error(`deno bundle failed: ${new TextDecoder().decode(stderr)}`);
  }
}
