import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import manifest from "../../deno.json" with { type: "json" };
import { UserError } from "../../base/user_error.ts";
import type { Task, TaskIO } from "../_cli/cli.ts";
import { bundleScripts, MADE_SCRIPTS, PAGE_SCRIPTS, type PageScript } from "../_export/page_scripts.ts";
import { sha256OfContent } from "../../base/files/sha256.ts";
import { selfExtracting, windowsArchive } from "./self_extracting.ts";
import type { TarEntry } from "./tar.ts";
import { denoOf, TARGETS } from "./targets.ts";

const SYSTEMS = ["", ...Object.keys(TARGETS)] as ["", ...(keyof typeof TARGETS)[]];

const config = z.strictObject({
  out: z.string().default("").describe(
    "file to write; its SHA-256 goes beside it; empty: dist/genrec, with the name of --target",
  ),
  target: z.enum(SYSTEMS).default("").describe("system that it is for; empty: this one"),
  mode: z.enum(["auto", "compile", "self-extracting"]).default("auto").describe(
    "deno compile, a file that unpacks itself (for Windows a .tar.gz with genrec.cmd), or the second where the first has " +
      "no runtime (DENORT_BIN, network):",
  ),
  timeLimit: z.number().positive().default(120).describe(
    "seconds that deno compile may take, download included",
  ),
  level: z.int().min(1).max(9).default(9).describe("gzip level of the self-extracting file"),
});

export const task: Task<typeof config> = {
  name: "build",
  summary: "one executable file with all commands, dist/genrec",
  examples: ["build", "build --mode self-extracting --out /tmp/genrec", "build --target macos-arm64"],
  config,
  async run({ out: wanted, target, mode, timeLimit, level }, io) {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    if (!existsSync(join(root, "tasks/main.ts"))) {
      throw new UserError(
        "Cannot build from the single file: run `./genrec build` in a clone of the repository",
      );
    }
    const work = Deno.makeTempDirSync({ prefix: "genrec-build-" });
    try {
      await bundle(root, work, io.signal);
      const other = target === "" || TARGETS[target].triple === Deno.build.target
        ? undefined
        : TARGETS[target];
      const isWindows = other?.program === "deno.exe";
      const out = wanted || `dist/genrec${target && `-${target}`}`;
      const temporary = resolve(`${out}.${Deno.pid}.tmp.exe`); // deno compile adds .exe where there is none
      Deno.mkdirSync(dirname(temporary), { recursive: true });
      let how = "deno compile", ending = isWindows ? ".exe" : "";
      const refusal = mode === "self-extracting"
        ? "not asked for"
        : await compile(work, temporary, other?.triple, timeLimit, io.signal);
      if (refusal !== undefined) {
        if (mode === "compile") {
          throw new UserError(
            `Cannot compile: ${refusal}. Set DENORT_BIN to a denort binary, or use --mode self-extracting`,
          );
        }
        if (mode === "auto") {
          io.log(`deno compile has no runtime here (${refusal}): making a self-extracting file`);
        }
        const launcher = Deno.readTextFileSync(join(root, "genrec"));
        const deno = other
          ? await denoOf(other, launcher, work, io.signal)
          : Deno.readFileSync(Deno.execPath());
        const entries = [
          { path: other?.program ?? "deno", mode: 0o755, bytes: deno },
          ...payload(work),
        ];
        [how, ending] = isWindows ? ["archive with genrec.cmd", ".tar.gz"] : ["self-extracting", ""];
        const bytes = isWindows
          ? windowsArchive(entries, level)
          : selfExtracting(entries, manifest.version, level);
        Deno.writeFileSync(temporary, bytes, { mode: 0o755 });
      }
      const version = other ? "" : await versionOf(work, temporary);
      finish(temporary, wanted === "" ? out + ending : out, how, version, io);
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
  triple: string | undefined,
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
    ...triple === undefined ? [] : ["--target", triple],
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

/** What the executable holds beside Deno. */
function payload(work: string): TarEntry[] {
  const file = (path: string) => ({ path, mode: 0o644, bytes: Deno.readFileSync(join(work, path)) });
  return [
    file("tasks/main.js"),
    file(WORKER),
    ...SCRIPTS.map((name) => file(`${MADE_SCRIPTS}/${name}`)),
    ...configNames(work).map((name) => file(`configs/${name}`)),
  ];
}

/** What the file for this system says when it is started. */
async function versionOf(work: string, file: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(file, {
    args: ["--version"],
    env: { GENREC_CACHE: join(work, "cache") },
  }).output();
  const version = new TextDecoder().decode(stdout).trim();
  if (success && version.startsWith(`genrec ${manifest.version}`)) return version;
  Deno.removeSync(file);
  throw new Error(`The built file does not start: ${version}${new TextDecoder().decode(stderr)}`);
}

/** Puts the file in place, and its SHA-256 beside it as `sha256sum` writes it. */
function finish(temporary: string, out: string, how: string, version: string, io: TaskIO): void {
  const content = Deno.readFileSync(temporary);
  const sha256 = sha256OfContent(content);
  Deno.renameSync(temporary, out);
  Deno.writeTextFileSync(`${out}.sha256`, `${sha256}  ${basename(out)}\n`);
  const bytes = content.length;
  if (io.json) console.log(JSON.stringify({ file: out, how, bytes, sha256 }));
  io.log(
    `${out}: ${(bytes / 1e6).toFixed(1)} MB, ${how}, ${version || "for another system, so not started here"}`,
  );
}
