import { dirname, join } from "node:path";
import { z } from "zod";
import { OutputFolder } from "../../base/files/output_folder.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import type { Task } from "../_cli/cli.ts";
import { WEIGHT_FORMATS } from "./site_model.ts";
import { webSite } from "./web_site.ts";

const config = z.strictObject({
  target: z.enum(["web"]).describe("what to make: web, a static site that recommends in the browser").meta({
    positional: true,
  }),
  run: z.string().describe("run directory or checkpoint folder of a model that writes SIDs"),
  data: z.string().default("").describe("dataset; default: the one that the run was trained on"),
  checkpoint: z.string().default("best").describe("best, latest, or the name of one such as step-400"),
  dtype: z.enum(Object.keys(WEIGHT_FORMATS) as (keyof typeof WEIGHT_FORMATS)[]).default("float16").describe(
    "number format of the weights:",
  ),
  out: z.string().describe("folder to write; what an earlier export left in it is replaced"),
});

export const task: Task<typeof config> = {
  name: "export",
  summary: "a run as a static site that recommends in the browser",
  examples: ["export web --run runs/a --out site"],
  config,
  async run({ run, data, checkpoint, dtype, out }, io) {
    const opened = await openSidRun(run, { data, checkpoint }, "export");
    const files = await webSite(opened, dtype, io.signal);
    await using folder = await OutputFolder.create(out, true);
    for (const [name, bytes] of files) {
      await Deno.mkdir(dirname(join(folder.path, name)), { recursive: true });
      await Deno.writeFile(join(folder.path, name), bytes);
    }
    await folder.publish();
    const sizes = await sizesOf(files);
    if (io.json) console.log(JSON.stringify({ out, files: files.size, ...sizes }));
    io.log(
      `Wrote ${out}: ${files.size} files, ${megabytes(sizes.bytes)}, ${
        megabytes(sizes.compressed)
      } compressed. ` +
        "Any static host serves it, over HTTPS or on localhost",
    );
  },
};

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Bytes of files as they are, and as hosts send them: each by itself, with gzip. */
async function sizesOf(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>) {
  let bytes = 0, compressed = 0;
  for (const content of files.values()) {
    bytes += content.length;
    const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
    compressed += (await new Response(stream).arrayBuffer()).byteLength;
  }
  return { bytes, compressed };
}
