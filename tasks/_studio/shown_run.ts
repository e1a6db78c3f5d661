import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { readRunFolder, type RunFolder } from "../../train/runs/run_folder.ts";
import type { StudioRun } from "../../web/studio/messages.ts";

/** Tasks that train models of several kinds. */
const WITH_MODEL = new Set(["baseline", "sid"]);
/** Name of a log. */
const LOG = "metrics.jsonl";
/** Folder in which codebooks of SIDs are trained. */
const CODEBOOKS = "training";

const SidFile = z.looseObject({ method: z.string(), settings: z.looseObject({}) });

/** A run that the studio shows. */
export interface ShownRun {
  facts: StudioRun;
  /** The run itself, also where one of its checkpoints was named. */
  folder: RunFolder;
  /** Its log. */
  log: string;
  /** How it was trained. */
  settings: Readonly<Record<string, unknown>>;
  /** What is to be opened of it. */
  opened: string;
}

/**
 * Opens run directories, and those in folders of runs. Throws `UserError` where one holds none, and where two are the
 * same folder.
 */
export async function openShownRuns(paths: readonly string[]): Promise<ShownRun[]> {
  const folders = (await Promise.all(paths.map(runsIn))).flat();
  const twice = folders.find(({ path }, i) => folders.findIndex((other) => other.path === path) !== i);
  if (twice) throw new UserError(`Cannot show ${twice.path} twice: name each run once`);
  const names = shortNames(folders.map(({ path }) => path));
  return await Promise.all(folders.map(async (named, id) => {
    const folder = named.home ?? named;
    const { settings, manifest, log } = await trainingOf(folder);
    const text = (value: unknown) => typeof value === "string" ? value : "";
    const model = text(settings.model);
    return {
      folder,
      log,
      settings,
      opened: named.path,
      facts: {
        id,
        name: names[id],
        path: named.path,
        task: [text(manifest.task), ...WITH_MODEL.has(text(manifest.task)) && model ? [model] : []].join(" "),
        dataset: text(manifest.dataset),
        adapter: text(manifest.adapter),
      },
    };
  }));
}

/**
 * Where a run tells how it was trained. Codebooks have a folder of that within that of their SIDs, whose settings lie in
 * `sid.json` when it has ended.
 */
async function trainingOf(
  run: RunFolder,
): Promise<Pick<RunFolder, "manifest"> & Omit<ShownRun, "facts" | "folder" | "opened">> {
  const inner = join(run.path, CODEBOOKS);
  if (!await isFile(join(inner, LOG))) {
    return { log: join(run.path, LOG), settings: run.config, manifest: run.manifest };
  }
  const { config, manifest } = await readRunFolder(inner);
  const sids = run.names.includes("sid.json")
    ? await readJson(join(run.path, "sid.json"), SidFile)
    : undefined;
  const model = sids?.method ?? "";
  return {
    log: join(inner, LOG),
    settings: { ...run.config, ...config, ...sids?.settings, model },
    manifest: { ...manifest, ...run.manifest },
  };
}

async function runsIn(path: string): Promise<RunFolder[]> {
  const folder = await readRunFolder(path);
  if (folder.names.includes(LOG)) return [folder];
  if (await isFile(join(folder.path, CODEBOOKS, LOG))) return [folder];
  const inside: RunFolder[] = [];
  for (const name of folder.names) {
    const place = join(folder.path, name);
    const isRun = await isFile(join(place, "config.json")) || await isFile(join(place, CODEBOOKS, LOG));
    if (isRun) inside.push(await readRunFolder(place));
  }
  // Some trainings have stages, each with a log of its own; a run that has just begun has none yet.
  if (inside.length > 0) return inside;
  if (folder.names.includes("config.json")) return [folder];
  throw new UserError(
    `Cannot show ${path}: neither it nor a folder in it is a run, expected a folder with config.json that a training ` +
      "wrote with --out, or a folder of such. Name one",
  );
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
