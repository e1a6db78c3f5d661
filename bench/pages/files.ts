import { cpus } from "node:os";
import { join } from "node:path";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { barChart } from "./chart.ts";
import {
  type BenchMeasurement,
  type Measurements,
  measurementsJson,
  mergedMeasurement,
  renderPage,
} from "./page.ts";
import { industrialResults, type Pages, renderSummaries } from "./summary.ts";

/** Where the pages of the project lie, from its folder. */
export const PAGES = "docs/benchmarks";

/** The measurements of all pages of a folder. */
export async function readPages(folder: string): Promise<Pages> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".json"))
    .sort();
  const entries = names.map(async (name) =>
    [name.replace(/\.json$/, ""), JSON.parse(await Deno.readTextFile(join(folder, name)))] as const
  );
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * Writes a measurement into `folder`: FOLDER/PAGE.json, in place of one of its name, and PAGE.md made anew. The words of
 * the page stay as they are. Returns both paths.
 */
export async function writeMeasurement(
  folder: string,
  page: string,
  name: string,
  measurement: BenchMeasurement,
): Promise<string[]> {
  await Deno.mkdir(folder, { recursive: true });
  const [json, markdown] = ["json", "md"].map((extension) => join(folder, `${page}.${extension}`));
  const before = await textOf(json);
  const measurements: Measurements = {
    ...(before === undefined ? {} : JSON.parse(before)),
    [name]: measurement,
  };
  const text = await textOf(markdown) ?? `# ${page}\n`;
  await writeAtomic(json, measurementsJson(measurements));
  await writeAtomic(markdown, renderPage(text, measurements));
  return [json, markdown];
}

/** {@link writeMeasurement} for a script with `--out`: nothing where it names no folder. Tells what it wrote. */
export async function writeOut(
  folder: string,
  page: string,
  measurements: Record<string, BenchMeasurement>,
): Promise<void> {
  if (folder === "") return;
  for (const [name, measurement] of Object.entries(measurements)) {
    const files = await writeMeasurement(folder, page, name, measurement);
    console.error(`Wrote ${name} to ${files.join(" and ")}: read the words around it again`);
  }
}

/** {@link writeOut} of some rows of a measurement: those of other names, in the first `keys` cells, stay. */
export async function writeRows(
  folder: string,
  page: string,
  name: string,
  measurement: BenchMeasurement,
  keys = 1,
): Promise<void> {
  if (folder === "") return;
  const text = await textOf(join(folder, `${page}.json`));
  const before: BenchMeasurement | undefined = text === undefined ? undefined : JSON.parse(text)[name];
  await writeOut(folder, page, { [name]: mergedMeasurement(before, measurement, keys) });
}

/** Files that are made of a project's measurements, by path from its folder `root`, as they should be. */
export async function renderedFiles(root: string): Promise<Record<string, string>> {
  const pages = await readPages(join(root, PAGES));
  const read = (path: string) => Deno.readTextFile(join(root, path));
  const files: Record<string, string> = {};
  for (const [page, measurements] of Object.entries(pages)) {
    files[`${PAGES}/${page}.json`] = measurementsJson(measurements);
    files[`${PAGES}/${page}.md`] = renderPage(await read(`${PAGES}/${page}.md`), measurements);
  }
  for (const path of ["README.md", "BENCHMARKS.md"]) files[path] = renderSummaries(await read(path), pages);
  files["docs/guides/pictures/results.svg"] = barChart(
    "HR@10 on MiniOneRec's Industrial split, test",
    "How often the item bought next is among the first ten. genrec: means of three, on two CPU cores.",
    industrialResults(pages).map(({ system, hr10 }) => ({
      label: system,
      value: hr10,
      ours: system.startsWith("genrec"),
    })),
  );
  return files;
}

/** The command line of the script that runs, for {@link BenchMeasurement.command}. */
export function commandLine(script: string): string {
  const words = Deno.args.filter((arg, i) => !arg.startsWith("--out") && Deno.args[i - 1] !== "--out");
  return ["deno run -A", script, ...words.map((word) => /\s/.test(word) ? JSON.stringify(word) : word)].join(
    " ",
  );
}

/** Day, commit and machine of a measurement that ends now. `adapter` is the device's name. */
export async function conditionsNow(
  adapter?: string,
): Promise<Pick<BenchMeasurement, "date" | "commit" | "machine">> {
  const processors = cpus();
  const commit = await commitOf();
  return {
    date: new Date().toISOString().slice(0, 10),
    ...(commit === undefined ? {} : { commit }),
    machine: [
      ...(adapter === undefined ? [] : [adapter]),
      `${processors[0]?.model ?? "unknown processor"}, ${processors.length} cores`,
      `${Deno.build.os} ${Deno.build.arch}`,
      `Deno ${Deno.version.deno}`,
    ].join("; "),
  };
}

/** Commit of `folder`: seven digits, with a plus where files differ from it; undefined outside a git repository. */
export async function commitOf(folder = "."): Promise<string | undefined> {
  const args = ["describe", "--always", "--exclude=*", "--abbrev=7", "--dirty=+"];
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: folder, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined; // no git here
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
