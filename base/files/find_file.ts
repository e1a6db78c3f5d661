import { basename, dirname } from "node:path";
import { badValue } from "../file_error.ts";
import { UserError } from "../user_error.ts";

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

/** All files with this role in the earliest folder that has any, as paths, in order of name. */
export async function filesOf(dir: string, role: FileRole): Promise<string[]> {
  for (const folder of role.folders) {
    const path = folder === "" ? dir : `${dir}/${folder}`;
    const found = (await namesIn(path)).filter((name) => role.fits(name, folder));
    if (found.length > 0) return found.map((name) => `${path}/${name}`);
  }
  return [];
}

/**
 * The one file with this role, or undefined. The earliest folder with a match counts. Throws `UserError` when
 * two files of a folder fit, since either could be meant.
 */
export async function findFile(dir: string, role: FileRole): Promise<string | undefined> {
  const found = await filesOf(dir, role);
  if (found.length <= 1) return found[0];
  const path = dirname(found[0]);
  throw badValue(
    { path },
    `one file ${role.layout}`,
    found.map((file) => basename(file)),
    "Keep one dataset a directory",
  );
}

/** `findFile` for a file that must be there. */
export async function requireFile(dir: string, role: FileRole): Promise<string> {
  const path = await findFile(dir, role);
  if (path !== undefined) return path;
  const folders = role.folders.map((folder) => folder === "" ? dir : `${dir}/${folder}`).join(" and ");
  throw new UserError(`Cannot read dataset ${dir}: no ${role.layout}, looked in ${folders}. Add the file`);
}

/**
 * What a directory holds beside `known`, as paths inside it, sorted: files, those in folders with a known file, and other
 * folders as one entry. Hidden ones are left out.
 */
export async function otherFiles(dir: string, known: readonly string[]): Promise<string[]> {
  const others: string[] = [];
  const add = async (folder: string) => {
    const names = await namesIn(folder === "" ? dir : `${dir}/${folder}`);
    const paths = names.filter((name) => !name.startsWith(".")).map((name) =>
      folder === "" ? name : `${folder}/${name}`
    );
    others.push(...paths.filter((path) => !known.includes(`${dir}/${path}`)));
  };
  await add("");
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (!isDirectory || name.startsWith(".")) continue;
    if (known.some((path) => path.startsWith(`${dir}/${name}/`))) await add(name);
    else others.push(`${name}/`);
  }
  return others.sort();
}

/** Every file below a folder, as paths inside it, sorted; none where there is no folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const paths = await namesIn(folder);
  if (paths.length === 0 && !await Deno.stat(folder).then(({ isDirectory }) => isDirectory, () => false)) {
    return [];
  }
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) paths.push(...(await filesBelow(`${folder}/${name}`)).map((path) => `${name}/${path}`));
  }
  return paths.sort();
}
