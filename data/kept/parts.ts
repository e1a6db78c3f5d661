import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";

/** File in which a folder that is being written says what is whole of it; gone when all is. */
const KEPT_FILE = ".genrec-kept";

/** Bytes of the SHA-256 with which it begins. */
const HASH_BYTES = 32;

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
  const found = await foundParts(folder, of);
  if (typeof found !== "string") return found;
  throw new UserError(
    `Cannot go on with ${out}: ${found}. Give the command that was stopped, or remove ${folder} to start anew`,
  );
}

/** The same; where it is of no use, why, in words. */
export async function foundParts(
  folder: string,
  of: Record<string, string>,
): Promise<KeptParts | string | undefined> {
  const bytes = await Deno.readFile(join(folder, KEPT_FILE)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const [hash, value] = [bytes.subarray(0, HASH_BYTES), bytes.subarray(HASH_BYTES)];
  if (!createHash("sha256").update(value).digest().equals(hash)) {
    return `${join(folder, KEPT_FILE)} is damaged`;
  }
  const kept: KeptParts = deserialize(value);
  const other = [...new Set([...Object.keys(of), ...Object.keys(kept.of)])].find((name) =>
    of[name] !== kept.of[name]
  );
  if (other === undefined) return kept;
  const told = (value: string | undefined) => value === undefined ? "none" : JSON.stringify(value);
  return `what was stopped there had another ${other}, expected ${told(kept.of[other])}, found ${
    told(of[other])
  }`;
}

/** The hash of what is there of a file, or undefined where that is something else. */
export async function hashOfKept(
  folder: string,
  { path, bytes, sha256 }: KeptFile,
): Promise<Hash | undefined> {
  const hash = createHash("sha256");
  let left = bytes;
  using file = await Deno.open(join(folder, path)).catch(() => undefined) ?? NOTHING;
  const buffer = new Uint8Array(1 << 20);
  for (let count; left > 0 && (count = await file.read(buffer.subarray(0, left))) !== null; left -= count) {
    hash.update(buffer.subarray(0, count));
  }
  return left === 0 && hash.copy().digest("hex") === sha256 ? hash : undefined;
}

/** A file that is not there. */
const NOTHING = { read: () => Promise.resolve(null), [Symbol.dispose]() {} };

/** Says in `folder` what is whole; files must be on the disk. */
export async function keepParts(folder: string, kept: KeptParts): Promise<void> {
  const value = serialize(kept);
  const hash = createHash("sha256").update(value).digest();
  await writeAtomic(join(folder, KEPT_FILE), new Uint8Array([...hash, ...value]));
}

/** Ends what {@link keepParts} said: all is whole. */
export async function forgetParts(folder: string): Promise<void> {
  for (const file of [KEPT_FILE, `${KEPT_FILE}.tmp`]) {
    await Deno.remove(join(folder, file)).catch(() => {}); // there may be none
  }
}
