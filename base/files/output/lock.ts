import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { UserError } from "../../user_error.ts";
import { refuseLinked } from "./link.ts";

/** What a lock file says of the process that holds it. */
const Holder = z.object({ pid: z.int(), host: z.string(), since: z.string(), task: z.string() });

/**
 * Milliseconds for which another process is waited for: one that was killed holds its locks until the system has taken its
 * memory back, seconds for gigabytes on a busy machine, and a write that was under way is finished.
 */
const PATIENCE = 10_000;
/** Milliseconds between two looks. */
const LOOK_EVERY = 50;

/** Paths that this process has locked. */
const held = new Set<string>();

/** A process that ends without its last steps, as at a second Ctrl-C, takes its lock files with it. */
function removeHeld(): void {
  for (const path of held) {
    try {
      Deno.removeSync(path);
    } catch {
      // The folder around may be gone.
    }
  }
}

/**
 * The right to write a file or folder, which one process has at a time. It is a lock of the system on `.NAME.lock`
 * beside it, so that a killed process leaves a file but no lock; what is in the file is for people alone. Beside and not
 * inside, as some folders appear under their name only when they are whole. Where the folder around cannot be written,
 * or its file system has no locks, there is none.
 */
export class OutputLock implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile | undefined;
  /** Folders that were made for the lock file, inner ones last. */
  readonly #made: readonly string[];

  private constructor(path: string, file?: Deno.FsFile, made: readonly string[] = []) {
    this.#path = path;
    this.#file = file;
    this.#made = made;
  }

  /**
   * Locks what `task` writes; once more within a process does nothing. Throws `UserError` naming the process that is
   * writing it, and still is after `patience` milliseconds, and for a link to a file or to nothing.
   */
  static async take(output: string, task = "", patience = PATIENCE): Promise<OutputLock> {
    await refuseLinked(output, { mayBeFolder: true });
    const path = await lockFileOf(output);
    if (held.has(path)) return new OutputLock(path);
    addEventListener("unload", removeHeld); // once, however often
    held.add(path);
    let isLocked = false;
    try {
      const lock = await OutputLock.#open(path, output, task, patience);
      isLocked = lock.#file !== undefined;
      return lock;
    } finally {
      if (!isLocked) held.delete(path);
    }
  }

  static async #open(path: string, output: string, task: string, patience: number): Promise<OutputLock> {
    const made: string[] = [];
    const patientUntil = performance.now() + patience;
    for (;;) {
      let file: Deno.FsFile;
      try {
        made.push(...await makeFolders(dirname(path)));
        await refuseLink(path);
        file = await Deno.open(path, { read: true, write: true, create: true })
          // Somebody else's file, in a folder that both may write.
          .catch((error) =>
            error instanceof Deno.errors.PermissionDenied ? Deno.open(path) : Promise.reject(error)
          );
      } catch (error) {
        // The holder before took its empty folders with it.
        if (error instanceof Deno.errors.NotFound && !await isFolder(dirname(path))) continue;
        if (error instanceof UserError) throw error;
        await removeEmpty(made);
        return new OutputLock(path); // the task says what it cannot write
      }
      // A file system without locks throws.
      const isOurs = await file.tryLock(true).catch(() => undefined);
      if (isOurs === undefined) {
        file.close();
        return new OutputLock(path);
      }
      if (!isOurs) {
        const holder = await holderOf(file);
        file.close();
        if (performance.now() < patientUntil) {
          await new Promise((looksAgain) => setTimeout(looksAgain, LOOK_EVERY));
          continue;
        }
        throw new UserError(
          `Cannot write ${output}: ${holder} is writing it. Wait until it ends, or name another --out`,
        );
      }
      // The holder before may have removed the file between our opening and locking it: another has its name then.
      const [mine, named] = [await file.stat(), await Deno.lstat(path).catch(() => undefined)];
      if (named && named.ino === mine.ino && named.dev === mine.dev) {
        await write(file, { pid: Deno.pid, host: hostname(), since: new Date().toISOString(), task })
          .catch(() => {}); // on a full disk the lock holds all the same
        return new OutputLock(path, file, made);
      }
      file.close();
    }
  }

  /** Removes the file while it is locked, so that nobody locks one that is about to go unseen. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#file) return;
    held.delete(this.#path);
    await Deno.remove(this.#path).catch(() => {}); // the folder around may be gone
    this.#file.close();
    await removeEmpty(this.#made);
  }
}

/** One path for all names of a file or folder. */
async function lockFileOf(output: string): Promise<string> {
  const full = resolve(output);
  const real = await Deno.realPath(full).catch(async () =>
    join(await Deno.realPath(dirname(full)).catch(() => dirname(full)), basename(full))
  );
  return join(dirname(real), `.${basename(real)}.lock`);
}

/** A link that somebody put there would let us write where it points to. */
async function refuseLink(path: string): Promise<void> {
  const stat = await Deno.lstat(path).catch(() => undefined);
  if (!stat || stat.isFile) return;
  throw new UserError(`Cannot lock ${path}: it is no file, expected one or none. Remove it`);
}

/** Folders that it had to make, outer ones first. */
async function makeFolders(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; !await Deno.stat(at).then(() => true, isThere); at = dirname(at)) missing.unshift(at);
  await Deno.mkdir(path, { recursive: true });
  return missing;
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((stat) => stat.isDirectory, () => false);
}

function isThere(error: unknown): boolean {
  return !(error instanceof Deno.errors.NotFound);
}

async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) await Deno.remove(folder).catch(() => {}); // refused where it holds anything
}

async function write(file: Deno.FsFile, holder: z.output<typeof Holder>): Promise<void> {
  await file.truncate();
  await file.write(new TextEncoder().encode(JSON.stringify(holder) + "\n"));
}

async function holderOf(file: Deno.FsFile): Promise<string> {
  const bytes = new Uint8Array(4096);
  const count = await file.read(bytes) ?? 0;
  try {
    const { pid, host, since, task } = Holder.parse(
      JSON.parse(new TextDecoder().decode(bytes.subarray(0, count))),
    );
    return `${task ? `\`genrec ${task}\`` : "another program"} (process ${pid} on ${host}, since ${since})`;
  } catch {
    return "another process"; // that has just begun
  }
}
