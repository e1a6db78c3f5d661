import { dirname, join } from "node:path";
import { z } from "zod";
import { OutputFolder } from "../../base/files/output_folder.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { sidGrammar } from "../../sid/grammar.ts";
import { openSidRun } from "../../train/runs/open_run.ts";
import { type Task, type TaskIO, UsageError } from "../_cli/cli.ts";
import { exportedGguf, GGUF_FORMATS } from "./gguf_file.ts";
import { WEIGHT_FORMATS } from "./site_model.ts";
import { webSite } from "./web_site.ts";

const DTYPES = Object.keys({ ...WEIGHT_FORMATS, ...GGUF_FORMATS }) as (keyof typeof GGUF_FORMATS)[];

const config = z.strictObject({
  target: z.enum(["web", "gguf", "grammar"]).describe(
    "what to make: web, a static site that recommends in the browser; gguf, a file for llama.cpp of a model that reads " +
      "text; grammar, its semantic IDs as a grammar of llama.cpp",
  ).meta({ positional: true }),
  run: z.string().describe("run directory or checkpoint folder; for gguf a Hugging Face directory as well"),
  data: z.string().default("").describe("dataset; default: the one that the run was trained on"),
  checkpoint: z.string().default("best").describe("best, latest, or the name of one such as step-400"),
  dtype: z.enum(DTYPES).default("float16").describe("number format of the weights; q8_0 for gguf alone:"),
  terminals: z.enum(["ids", "texts"]).default("ids").describe(
    "of a grammar: ids of tokens, for newer versions of llama.cpp; texts, for older ones and other engines, which " +
      "tokens of other texts may spell too:",
  ),
  out: z.string().describe("folder of a site or file to write, in place of an earlier export"),
});

export const task: Task<typeof config> = {
  name: "export",
  summary: "a run as a site that recommends in the browser, or for llama.cpp",
  examples: [
    "export web --run runs/a --out site",
    "export gguf --run runs/llm --dtype q8_0 --out llm.gguf",
    "export grammar --run runs/llm --out sids.gbnf",
  ],
  config,
  async run(flags, io) {
    const { target, dtype, terminals } = flags;
    if (target !== "grammar" && terminals !== "ids") {
      throw new UsageError(`Cannot use --terminals for ${target}: it is about grammars. Leave it out`);
    }
    if (target === "web") {
      if (!isSiteFormat(dtype)) {
        throw new UsageError(
          `Cannot use --dtype ${dtype} for web, expected ${Object.keys(WEIGHT_FORMATS).join(" or ")}`,
        );
      }
      await exportSite(flags, dtype, io);
    } else if (target === "gguf") await exportGguf(flags, io);
    else await exportGrammar(flags, io);
  },
};

type Flags = z.output<typeof config>;

function isSiteFormat(dtype: string): dtype is keyof typeof WEIGHT_FORMATS {
  return Object.hasOwn(WEIGHT_FORMATS, dtype);
}

async function exportSite(
  { run, data, checkpoint, out }: Flags,
  dtype: keyof typeof WEIGHT_FORMATS,
  io: TaskIO,
): Promise<void> {
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
}

async function exportGguf(flags: Flags, io: TaskIO): Promise<void> {
  const { out, dtype } = flags;
  const file = await exportedGguf(flags, dtype, io.signal);
  await writeAtomic(out, file);
  if (io.json) console.log(JSON.stringify({ out, bytes: file.size }));
  io.log(`Wrote ${out}: ${megabytes(file.size)}. llama.cpp and what is built on it read it`);
}

async function exportGrammar({ run, data, checkpoint, terminals, out }: Flags, io: TaskIO): Promise<void> {
  const { sids, prompts } = await openSidRun(run, { data, checkpoint }, "export the grammar of");
  const text = sidGrammar(terminals === "texts" ? sids : prompts.itemTokens);
  await writeAtomic(out, text);
  const different = new Set(sids.map((sid) => sid.join(""))).size;
  if (io.json) console.log(JSON.stringify({ out, sids: different }));
  io.log(`Wrote ${out}: ${different} semantic IDs. llama.cpp takes it with --grammar-file`);
}

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
