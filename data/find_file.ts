import { badValue } from "./file_error.ts";
import { UserError } from "./user_error.ts";

/** Where one role of file may be: exact names first, then name endings, in any of the folders. */
export interface FileRole {
  /** For messages, e.g. "index.json or *.index.json". */
  layout: string;
  /** Folders inside the dataset directory; "" is the directory itself. */
  folders: readonly string[];
  /** Which file names fit in a folder. */
  fits(name: string, folder: string): boolean;
}

/** The file with just this name, in the directory or a folder of it. */
export function fileNamed(name: string, folder = ""): FileRole {
  return {
    layout: folder === "" ? name : `${folder}/${name}`,
    folders: [folder],
    fits: (file) => file === name,
  };
}

/** The file with this name, or with the dataset's name and a dot before it, in any of the folders. */
export function fileEnding(name: string, folders: readonly string[] = [""]): FileRole {
  return {
    layout: `${name} or *.${name}`,
    folders,
    fits: (file) => file === name || file.endsWith(`.${name}`),
  };
}

/** Last part of a directory's path: a dataset's name where its files have none. */
export function folderName(dir: string): string {
  return dir.replace(/\/+$/, "").split("/").at(-1)!;
}

async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) if (!entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw new UserError(
      `Cannot list ${path}: ${(error as Error).message}. Check the path and its permissions`,
    );
  }
  return names.sort();
}

/**
 * The one file with this role, or undefined. The earliest folder with a match counts. Throws `UserError` when
 * two files of a folder fit, since either could be meant.
 */
export async function findFile(dir: string, role: FileRole): Promise<string | undefined> {
  for (const folder of role.folders) {
    const path = folder === "" ? dir : `${dir}/${folder}`;
    const found = (await namesIn(path)).filter((name) => role.fits(name, folder));
    if (found.length > 1) {
      throw badValue({ path }, `one file ${role.layout}`, found, "Keep one dataset a directory");
    }
    if (found.length === 1) return `${path}/${found[0]}`;
  }
}

/** `findFile` for a file that must be there. */
export async function requireFile(dir: string, role: FileRole): Promise<string> {
  const path = await findFile(dir, role);
  if (path !== undefined) return path;
  const folders = role.folders.map((folder) => folder === "" ? dir : `${dir}/${folder}`).join(" and ");
  throw new UserError(`Cannot read dataset ${dir}: no ${role.layout}, looked in ${folders}. Add the file`);
}

/** Files of a directory and its folders that are not among `known`, as paths inside it, sorted. */
export async function otherFiles(dir: string, known: Iterable<string>): Promise<string[]> {
  const used = new Set(known);
  const others: string[] = [];
  async function walk(folder: string) {
    for (const name of await namesIn(folder)) {
      if (!used.has(`${folder}/${name}`)) others.push(`${folder}/${name}`.slice(dir.length + 1));
    }
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await walk(`${folder}/${name}`);
    }
  }
  await walk(dir);
  return others.sort();
}
