/**
 * The kernels on two drivers of the CPU adapter side by side: the system's, and Mesa of Debian's backports, which is laid
 * into a folder and not installed.
 *
 *     deno run -A bench/drivers.ts [--folder runs/mesa] [--rows matmul,attention,step] [--repeats 5]
 *         [--budget 400] [--driver lvp_icd.json] [--width 256] [--variant attention=quads] [--out docs/benchmarks]
 *     deno run -A bench/drivers.ts --suite [FILTER]
 *
 * Needs Debian with apt. `--driver` names another driver's file instead, `--width` the bits of its vectors
 * (LP_NATIVE_VECTOR_WIDTH), `--variant` the kernels on it, which have a table of their own on the page. Each driver and width
 * has a shader cache of its own: a shared one hides differences. `--suite` runs `./genrec test FILTER` on each instead, and exits
 * with 1 where one fails.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../base/files/line_file.ts";
import { UserError } from "../base/user_error.ts";
import { againstLines, type CommitRow } from "./commits/against.ts";
import { driverEnvironment } from "./kernels/driver.ts";
import { type Opener, timeInTurns } from "./kernels/measure.ts";
import { openProcess, scriptPath } from "./kernels/remote.ts";
import { aligned } from "./kernels/report.ts";
import { ROWS } from "./kernels/rows.ts";
import { commandLine, conditionsNow, writeOut } from "./pages/files.ts";
import { textTable } from "./pages/page.ts";

const PACKAGE = "mesa-vulkan-drivers";

const { values: flags, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: "boolean", default: false },
    folder: { type: "string", default: "runs/mesa" },
    rows: { type: "string", default: "matmul,attention,step" },
    repeats: { type: "string", default: "5" },
    budget: { type: "string", default: "400" },
    driver: { type: "string", default: "" },
    width: { type: "string", default: "" },
    variant: { type: "string", default: "" },
    out: { type: "string", default: "" },
  },
});

/** Of the whole path, since commands run in it and drivers name their libraries by it. */
const folder = resolve(flags.folder);

/** What a command prints. Throws {@link UserError} with its last line where it fails. */
async function run(command: string, ...args: string[]): Promise<string> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd: folder }).output();
    if (success) return new TextDecoder().decode(stdout);
    const last = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
    throw new UserError(`Cannot fetch ${PACKAGE}: ${command} ${args.at(-1)} failed: ${last}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UserError(`Cannot fetch ${PACKAGE}: there is no ${command} here. Name a driver with --driver`);
  }
}

/** Lays the package of the backports into the folder, from the mirror that this system uses. Returns the driver's file. */
async function fetchDriver(): Promise<string> {
  const file = join(folder, "lvp_icd.json");
  if (existsSync(file)) return file;
  const format = ["indextargets", "--format", "$(REPO_URI)|$(RELEASE)", "Created-By: Packages"];
  const releases = (await run("apt-get", ...format)).trim().split("\n").map((line) => line.split("|"));
  const [uri, release] = releases.find(([, name]) => /^[a-z]+$/.test(name)) ?? [];
  if (!uri) throw new UserError(`Cannot fetch ${PACKAGE}: apt knows no Debian. Name a driver with --driver`);
  await makeFolder(join(folder, "lists", "partial"));
  const sources = join(folder, "sources.list");
  await Deno.writeTextFile(sources, `deb ${uri} ${release}-backports main\n`);
  const apart = [`Dir::Etc::sourcelist=${sources}`, "Dir::Etc::sourceparts=-"]
    .concat(`Dir::State::Lists=${join(folder, "lists")}`, "Acquire::Check-Valid-Until=false")
    .flatMap((option) => ["-o", option]);
  await run("apt-get", ...apart, "update");
  await run("apt-get", ...apart, "download", `${PACKAGE}/${release}-backports`);
  const archive = [...Deno.readDirSync(folder)].find(({ name }) => name.endsWith(".deb"))!.name;
  await run("dpkg", "-x", archive, "root");
  const libraries = join(folder, "root", "usr", "lib");
  const place = [...Deno.readDirSync(libraries)].find(({ name }) => name.includes("linux"))!.name;
  const library = join(libraries, place, "libvulkan_lvp.so");
  await Deno.writeTextFile(
    file,
    JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: library, api_version: "1.3.0" } }),
  );
  return file;
}

/** What a process on the other driver, or with `undefined` on the system's, has beside the environment of this one. */
function environmentOf(driver: string | undefined): Record<string, string> {
  return driverEnvironment(folder, driver ? { driver, width: flags.width } : {});
}

function opener(name: string, driver: string | undefined): Opener {
  const script = scriptPath("./ours_main.ts")!;
  const env = environmentOf(driver);
  return {
    name,
    open: (workload) => openProcess(script, driver ? [flags.variant] : [], workload, false, env),
  };
}

/** Runs the tests on one driver, tells what they say where they fail. Returns whether all passed. */
async function passes(name: string, driver: string | undefined): Promise<boolean> {
  const tests = new Deno.Command(fileURLToPath(new URL("../genrec", import.meta.url)), {
    args: ["test", ...filters],
    env: environmentOf(driver),
    stderr: "inherit",
  });
  const { success, stdout } = await tests.output();
  const text = new TextDecoder().decode(stdout).trim();
  if (!success) console.error(text);
  console.log(`${name} driver: ${text.split("\n").at(-1) || "no tests ran"}`);
  return success;
}

async function suite(driver: string): Promise<void> {
  const passed = [await passes("system", undefined), await passes("other", driver)];
  if (passed.includes(false)) Deno.exitCode = 1;
}

async function timings(driver: string): Promise<void> {
  const groups = flags.rows.split(",");
  const openers = [opener("system", undefined), opener("other", driver)];
  const rows: CommitRow[] = [];
  for (const row of ROWS.filter(({ group }) => groups.includes(group))) {
    const options = { repeats: Number(flags.repeats), budget: Number(flags.budget), tick: () => {} };
    const [ours, theirs] = await timeInTurns(row.workload, openers, options);
    rows.push({ row, ours, theirs });
    console.error(row.name);
  }
  const lines = againstLines(rows, "system", "other", { below: "other faster", above: "other slower" });
  for (const line of aligned(lines)) console.log(line);
  await writeOut(flags.out, "kernels", {
    [flags.variant === "" ? "drivers" : "driver-variants"]: {
      command: [commandLine("bench/drivers.ts")],
      ...await conditionsNow(),
      tables: [textTable(lines[0], lines.slice(1))],
    },
  });
}

if (flags.driver && !existsSync(flags.driver)) {
  throw new UserError(
    `Cannot use --driver ${flags.driver}: no such file. Name one as in /usr/share/vulkan/icd.d`,
  );
}
if (filters.length > (flags.suite ? 1 : 0)) {
  throw new UserError(`Cannot read "${filters.at(-1)}": expected flags, and after --suite one filter`);
}
await makeFolder(folder);
const driver = flags.driver ? resolve(flags.driver) : await fetchDriver();
await (flags.suite ? suite : timings)(driver);
