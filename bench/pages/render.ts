/**
 * Makes what is shown of docs/benchmarks/*.json: the pages beside them, the tables of BENCHMARKS.md and README.md, and
 * docs/guides/pictures/results.svg.
 *
 *     deno run -A bench/pages/render.ts
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { renderedFiles } from "./files.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
for (const [path, content] of Object.entries(await renderedFiles(root))) {
  if (await Deno.readTextFile(join(root, path)).catch(() => "") === content) continue;
  await writeAtomic(join(root, path), content);
  console.log(`Wrote ${path}`);
}
