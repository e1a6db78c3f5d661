import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";

/** File in which a folder that is being written says what is whole of it; gone when all is. */
const KEPT_FILE = ".genrec-kept";

/** A file of which so many bytes are on the disk. */
export interface KeptFile {
  path: string;
  bytes: number;
  /** SHA-256 of them. */
  sha256: string;
}

/** A file of rows that was being written. */
export interface KeptRows extends KeptFile {
  rows: number;
  /** What the rest is made with. */
  state: Uint8Array;
}

/** What is written of a folder, and what writing the rest needs to know. */
export interface KeptParts {
  /** What it is written from: values by what they are called. Parts of something else are no use. */
  of: Record<string, string>;
  /** Files that are whole, in order. */
  files: KeptFile[];
  /** Of the file behind them. */
  rows?: KeptRows;
  /** What the writer knows of the whole files, in bytes. */
  state?: Uint8Array;
  /** What else took long to find, by name. */
  values: Record<string, unknown>;
}

/**
 * What a process that was stopped has written in `folder`, or undefined. Throws `UserError` where that was for another `out`
 * than one made `of` these.
 */
export async function keptParts(
  folder: string,
  of: Record<string, string>,
  out: string,
): Promise<KeptParts | undefined> {
  const bytes = await Deno.readFile(join(folder, KEPT_FILE)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const remedy = `Give the command that was stopped, or remove ${folder} to start anew`;
  let kept: KeptParts;
  try {
    kept = deserialize(bytes);
  } catch {
    throw new UserError(`Cannot go on with ${out}: ${join(folder, KEPT_FILE)} is damaged. ${remedy}`);
  }
  const other = [...new Set([...Object.keys(of), ...Object.keys(kept.of)])].find((name) =>
    of[name] !== kept.of[name]
  );
  if (other !== undefined) {
    const told = (value: string | undefined) => value === undefined ? "none" : JSON.stringify(value);
    throw new UserError(
      `Cannot go on with ${out}: what was stopped there had another ${other}, ` +
        `expected ${told(kept.of[other])}, found ${told(of[other])}. ${remedy}`,
    );
  }
  return kept;
}

/** Says in `folder` what is whole; files must be on the disk. */
export async function keepParts(folder: string, kept: KeptParts): Promise<void> {
  await writeAtomic(join(folder, KEPT_FILE), serialize(kept));
}

/** Ends what {@link keepParts} said: all is whole. */
export async function forgetParts(folder: string): Promise<void> {
  for (const file of [KEPT_FILE, `${KEPT_FILE}.tmp`]) {
    await Deno.remove(join(folder, file)).catch(() => {}); // there may be none
  }
}
