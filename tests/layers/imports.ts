// What the sources import, for the tests of the layers. Nothing here runs the sources.
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Text of a file by its path in the repository. */
export const read = (path: string) => Deno.readTextFileSync(join(root, path));

/** Rooms from the ground up: each may import itself and those before it. `kernels/gpu`, `base/files` and `base/mpi` are rooms too. */
export const ROOMS = [
  "base",
  "base/files",
  "base/mpi",
  "kernels/gpu",
  "kernels",
  "data",
  "models",
  "embed",
  "sid",
  "prompts",
  "decode",
  "eval",
  "rank",
  "train",
  "web",
  "bench",
  "tasks",
];

/** The folders of {@link ROOMS} that lie at the root of the repository. */
export const TOP = ROOMS.filter((room) => !room.includes("/"));

/** The innermost room of a file, or "". */
export function roomOf(path: string): string {
  const rooms = ROOMS.filter((room) => path.startsWith(`${room}/`));
  return rooms.reduce((longest, room) => room.length > longest.length ? room : longest, "");
}

/** Paths of the files of a folder and of those in it whose names end in `extension`, sorted. */
export function filesIn(folder: string, extension: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/\/(node_modules|__pycache__)\//.test(path))
    .sort();
}

/** All TypeScript of the rooms. */
export const sources = TOP.flatMap((folder) => filesIn(folder, ".ts"));

/** Source without comments; enough for lines of code. */
export function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;{(])\/\/[^\n]*/g, "$1");
}

/** A specifier as it stands in the source, and whether it is gone when types are erased. */
export interface Import {
  specifier: string;
  typeOnly: boolean;
}

/** Static, dynamic and re-exporting imports, and what `new URL("x.ts", import.meta.url)` names. */
export function importsOf(source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  for (
    const [, clause, specifier] of code.matchAll(/\b(?:import|export)\b([^"'`;]*?)\bfrom\s*["']([^"']+)["']/g)
  ) {
    found.push({ specifier, typeOnly: isTypeOnly(clause) });
  }
  const plain = [
    /\bimport\s*["']([^"']+)["']/g,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
    /\bnew URL\(\s*["']([^"']+\.ts)["']/g,
  ];
  for (const pattern of plain) {
    for (const [, specifier] of code.matchAll(pattern)) found.push({ specifier, typeOnly: false });
  }
  return found;
}

/** Path in the repository that a relative specifier of the file `path` names; undefined for packages. */
export function targetOf(path: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? relative(root, join(root, dirname(path), specifier)) : undefined;
}

// `type { A }`, or braces around nothing but `type A`.
function isTypeOnly(clause: string): boolean {
  if (/^\s*type\b/.test(clause)) return true;
  const names = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1].split(",").map((name) => name.trim()).filter(Boolean);
  return !!names?.length && names.every((name) => name.startsWith("type "));
}
