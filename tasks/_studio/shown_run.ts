import { join } from "node:path";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { readRunFolder, type RunFolder } from "../../train/runs/run_folder.ts";
import type { StudioRun } from "../../web/studio/messages.ts";

/** A run that the studio shows. */
export interface ShownRun {
  facts: StudioRun;
  /** The run itself, also where one of its checkpoints was named. */
  folder: RunFolder;
  /** What is to be opened of it. */
  opened: string;
}

/**
 * Opens run directories, and those in folders of runs. Throws `UserError` where one holds none, and where two are the
 * same folder.
 */
export async function openShownRuns(paths: readonly string[]): Promise<ShownRun[]> {
  const folders = (await Promise.all(paths.map(runFoldersIn))).flat();
  const twice = folders.find(({ path }, i) => folders.findIndex((other) => other.path === path) !== i);
  if (twice) throw new UserError(`Cannot show ${twice.path} twice: name each run once`);
  const names = shortNames(folders.map(({ path }) => path));
  return folders.map((named, id) => {
    const folder = named.home ?? named;
    const { manifest, config } = folder;
    const text = (value: unknown) => typeof value === "string" ? value : "";
    const model = text(config.model);
    return {
      folder,
      opened: named.path,
      facts: {
        id,
        name: names[id],
        path: named.path,
        task: [text(manifest.task), ...text(manifest.task) === "baseline" && model ? [model] : []].join(" "),
        dataset: text(manifest.dataset),
        adapter: text(manifest.adapter),
      },
    };
  });
}

async function runFoldersIn(path: string): Promise<RunFolder[]> {
  const folder = await readRunFolder(path);
  if (isRun(folder)) return [folder];
  const inside: RunFolder[] = [];
  for (const name of folder.names) {
    const place = join(folder.path, name);
    const hasConfig = await isFile(join(place, "config.json"));
    if (!hasConfig) continue;
    const found = await readRunFolder(place);
    if (isRun(found)) inside.push(found);
  }
  if (inside.length > 0) return inside;
  throw new UserError(
    `Cannot show ${path}: neither it nor a folder in it is a run, expected a folder with config.json that a training ` +
      "wrote with --out, or a folder of such. Name one",
  );
}

function isRun({ names }: RunFolder): boolean {
  return names.includes("config.json") || names.includes("metrics.jsonl");
}

/** The last parts of paths, as many as tell them apart. */
export function shortNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split("/").filter((part) => part !== "" && part !== "."));
  const most = Math.max(...parts.map(({ length }) => length));
  for (let count = 1; count < most; count++) {
    const names = parts.map((part) => part.slice(-count).join("/"));
    if (new Set(names).size === names.length) return names;
  }
  return [...paths];
}
