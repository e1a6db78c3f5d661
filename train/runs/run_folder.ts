import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { UserError } from "../../base/user_error.ts";

/** What a folder tells before it is opened. */
export interface RunFolder {
  /** Its path, as given. */
  readonly given: string;
  /** The same without slashes at the end. */
  readonly path: string;
  /** Names of what it holds, in order. */
  readonly names: readonly string[];
  /** Its `config.json`, of a run or a model; `{}` without one. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Its `manifest.json`; `{}` without one. */
  readonly manifest: Readonly<Record<string, unknown>>;
  /** The run that it is a checkpoint of. */
  readonly home?: RunFolder;
}

const Facts = z.looseObject({});

/** Looks into a folder, and into the run around a checkpoint. Throws `UserError` where there is none, or JSON is damaged. */
export async function readRunFolder(given: string): Promise<RunFolder> {
  const path = given.replace(/(?<=.)\/+$/, "");
  const names = await namesIn(path);
  const factsOf = (name: string) => names.includes(name) ? readJson(`${path}/${name}`, Facts) : {};
  const around = /^(.+)\/checkpoints\/[^/]+$/.exec(path)?.[1];
  const home = around === undefined ? undefined : await readRunFolder(around);
  return {
    given,
    path,
    names,
    config: await factsOf("config.json"),
    manifest: await factsOf("manifest.json"),
    // A run has settings where a model has an architecture.
    ...home?.names.includes("config.json") && !isModel(home) && { home },
  };
}

/** Train targets that the training of a run left out, the last ones: see `holdOut()`. */
export function holdoutRowsOf({ config, home }: RunFolder): number {
  return Number((home ?? { config }).config.holdoutRows ?? 0);
}

/** Whether its config.json is a model's. */
export function isModel({ config }: RunFolder): boolean {
  return config.model_type !== undefined;
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such folder"
      : error instanceof Deno.errors.NotADirectory
      ? "it is a file"
      : (error as Error).message;
    throw new UserError(`Cannot open run ${path}: ${why}. Name the folder that a training wrote with --out`);
  }
}
