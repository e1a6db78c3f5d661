import { createHash } from "node:crypto";
import { diskFiles } from "../../../base/files/disk.ts";
import { LFS_BYTES } from "../../../base/files/lfs_pointer.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Engine } from "./engine.ts";
import { sql } from "./sql.ts";
import { unpacked } from "./unpack.ts";

const SCHEME = /^([a-z][a-z0-9+]*):\/\//i;
const AZURE = ["az", "azure", "abfs", "abfss"];

/** Whether a path is an address that DuckDB reads over the network. */
export function isRemote(path: string): boolean {
  return SCHEME.test(path) && !path.startsWith("file://");
}

/**
 * The files that paths, globs and addresses stand for, in order; globs in order of name. Throws `UserError` for one
 * that stands for nothing, for a file that is named twice, and for an address where DuckDB's extension for it cannot be had.
 */
export async function resolveFiles(
  engine: Engine,
  patterns: readonly string[],
  flag: string,
): Promise<string[]> {
  const files: string[] = [], seen = new Set<string>();
  const add = (file: string, real = file) => {
    if (seen.has(real)) {
      throw new UserError(
        `Cannot read ${flag}: ${file} is named twice, and each of its lines would count twice. Name it once`,
      );
    }
    seen.add(real);
    files.push(file);
  };
  for (const pattern of patterns) {
    if (isRemote(pattern)) {
      await loadExtension(engine, pattern);
      add(pattern);
      continue;
    }
    const stat = await Deno.stat(pattern).catch(() => undefined);
    if (stat?.isDirectory) {
      throw new UserError(
        `Cannot read ${flag} ${pattern}: it is a folder. Name its files, such as ${pattern}/*.json.gz`,
      );
    }
    if (stat?.size === 0) {
      throw new UserError(`Cannot read ${flag} ${pattern}: the file is empty. Download or export it again`);
    }
    const found = stat
      ? [pattern]
      : (await engine.rows<{ file: string }>(sql`SELECT file FROM glob(${pattern}) ORDER BY file`)).map((
        { file },
      ) => file);
    if (found.length === 0) {
      throw new UserError(`Cannot read ${flag} ${pattern}: no such file. Check the path`);
    }
    for (const file of found) {
      await refusePointer(file);
      add(file, await Deno.realPath(file));
    }
  }
  return files;
}

/** Throws `UserError` for a pointer of Git LFS, whose lines would be bad ones, and of which DuckDB says other things. */
async function refusePointer(path: string): Promise<void> {
  await diskFiles.readRange(path, 0, Math.min(await diskFiles.fileSize(path), LFS_BYTES));
}

async function loadExtension(engine: Engine, address: string): Promise<void> {
  const extension = AZURE.includes(SCHEME.exec(address)![1].toLowerCase()) ? "azure" : "httpfs";
  try {
    await engine.run(sql`INSTALL ${extension}`);
    await engine.run(sql`LOAD ${extension}`);
  } catch (error) {
    throw new UserError(
      `Cannot read ${address}: DuckDB's extension ${extension} could not be loaded (${
        (error as Error).message
      }). ` +
        `DuckDB downloads it once from its own server; without that, download the file and name its path`,
    );
  }
}

/**
 * SHA-256 of a local file, which is unpacked along the way, since DuckDB takes a torn one for a short one. Throws
 * `UserError` where it is torn or damaged.
 */
export async function fingerprint(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const _ of unpacked(path, { signal, onBytes: (bytes) => hash.update(bytes) }));
  return hash.digest("hex");
}
