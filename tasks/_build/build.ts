import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import { UserError } from "../../base/user_error.ts";
import type { Task, TaskIO } from "../_cli/cli.ts";
import { bundleScripts, MADE_SCRIPTS, PAGE_SCRIPTS, type PageScript } from "../_export/page_scripts.ts";
import { selfExtracting } from "./self_extracting.ts";
import type { TarEntry } from "./tar.ts";

const config = z.strictObject({
  out: z.string().default("dist/genrec").describe("file to write"),
  mode: z.enum(["auto", "compile", "self-extracting"]).default("auto").describe(
    "deno compile, a file that unpacks itself, or the second where the first has no runtime (DENORT_BIN, network):",
  ),
  timeLimit: z.number().positive().default(120).describe(
    "seconds that deno compile may take, download included",
  ),
  level: z.int().min(1).max(9).default(9).describe("gzip level of the self-extracting file"),
});

export const task: Task<typeof config> = {
  name: "build",
  summary: "one executable file with all commands, dist/genrec",
  examples: ["build", "build --mode self-extracting --out /tmp/genrec"],
  config,
  async run({ out, mode, timeLimit, level }, io) {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    if (!existsSync(join(root, "tasks/main.ts"))) {
      throw new UserError(
        "Cannot build from the single file: run `./genrec build` in a clone of the repository",
      );
    }
    const work = Deno.makeTempDirSync({ prefix: "genrec-build-" });
    try {
      await bundle(root, work, io.signal);
      const temporary = resolve(`${out}.${Deno.pid}.tmp`);
      Deno.mkdirSync(dirname(temporary), { recursive: true });
      let how = "deno compile";
      const refusal = mode === "self-extracting"
        ? "not asked for"
        : await compile(work, temporary, timeLimit, io.signal);
      if (refusal !== undefined) {
        if (mode === "compile") {
          throw new UserError(
            `Cannot compile: ${refusal}. Set DENORT_BIN to a denort binary, or use --mode self-extracting`,
          );
        }
        if (mode === "auto") {
          io.log(`deno compile has no runtime here (${refusal}): making a self-extracting file`);
        }
        how = "self-extracting";
        Deno.writeFileSync(temporary, selfExtracting(payload(work), manifest.version, level), {
          mode: 0o755,
        });
      }
      await finish(work, temporary, out, how, io);
    } finally {
      Deno.removeSync(work, { recursive: true });
    }
  },
};

/** The worker is found beside the code that starts it, under the name that it has there. */
const WORKER = "tasks/worker.ts";
const BUNDLES = [["tasks/main.ts", "tasks/main.js"], ["base/files/parquet/worker.ts", WORKER]];

/** Scripts of all pages. */
const SCRIPTS = Object.keys(PAGE_SCRIPTS) as PageScript[];

/**
 * Lays out in `work` what the executable needs: tasks/main.js, its worker, the scripts of pages and configs/, as relative
 * as in the repository.
 */
async function bundle(root: string, work: string, signal: AbortSignal): Promise<void> {
  Deno.mkdirSync(join(work, "tasks"));
  for (const [from, to] of BUNDLES) {
    const args = ["bundle", "--quiet", "--output", join(work, to), from];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root, signal }).output();
    if (!success) throw new Error(`deno bundle failed: ${new TextDecoder().decode(stderr)}`);
  }
  // So that `export web` and `studio` need no bundler where they run.
  Deno.mkdirSync(join(work, MADE_SCRIPTS));
  await bundleScripts(SCRIPTS, root, join(work, MADE_SCRIPTS), signal);
  for (const name of configNames(root)) {
    Deno.mkdirSync(join(work, "configs", dirname(name)), { recursive: true });
    Deno.copyFileSync(join(root, "configs", name), join(work, "configs", name));
  }
}

function configNames(root: string): string[] {
  const folder = join(root, "configs");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
}

/** Undefined when `out` is written, else why it is not. */
async function compile(
  work: string,
  out: string,
  timeLimit: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const configs = configNames(work).length ? ["--include", "configs"] : [];
  const args = [
    "compile",
    "--allow-all",
    "--no-prompt",
    "--no-config",
    "--unstable-no-legacy-abort",
    "--no-check",
    "--include",
    WORKER,
    "--include",
    MADE_SCRIPTS,
    ...configs,
    "--output",
    out,
    "tasks/main.js",
  ];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: work,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeLimit * 1000)]),
  }).output();
  if (success) return undefined;
  signal.throwIfAborted();
  const text = new TextDecoder().decode(stderr);
  // The line that names the cause is the last of Deno's numbered chain.
  const causes = text.split("\n").filter((line) => /^\s*\d+: /.test(line) && !line.includes("unknown"));
  return causes.at(-1)?.replace(/^\s*\d+: /, "") ?? (text.trim() || `no answer within ${timeLimit} s`);
}

function payload(work: string): TarEntry[] {
  const file = (path: string) => ({ path, mode: 0o644, bytes: Deno.readFileSync(join(work, path)) });
  return [
    { path: "deno", mode: 0o755, bytes: Deno.readFileSync(Deno.execPath()) },
    file("tasks/main.js"),
    file(WORKER),
    ...SCRIPTS.map((name) => file(`${MADE_SCRIPTS}/${name}`)),
    ...configNames(work).map((name) => file(`configs/${name}`)),
  ];
}

async function finish(work: string, temporary: string, out: string, how: string, io: TaskIO): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(temporary, {
    args: ["--version"],
    env: { GENREC_CACHE: join(work, "cache") },
  }).output();
  const version = new TextDecoder().decode(stdout).trim();
  if (!success || !version.startsWith(`genrec ${manifest.version}`)) {
    Deno.removeSync(temporary);
    throw new Error(`The built file does not start: ${version}${new TextDecoder().decode(stderr)}`);
  }
  const bytes = Deno.statSync(temporary).size;
  Deno.renameSync(temporary, out);
  if (io.json) console.log(JSON.stringify({ file: out, how, bytes }));
  io.log(`${out}: ${(bytes / 1e6).toFixed(1)} MB, ${how}, ${version}`);
}
