import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../user_error.ts";
import { refuseLinked } from "./output/link.ts";
import { OutputLock } from "./output/lock.ts";
import { putInPlace, recoverFolder, removeFolder } from "./output/put_in_place.ts";

/**
 * A folder that appears under its name when it is whole: made beside it, renamed by `publish()`, and gone with all that
 * is in it when disposed before, unless it is left to go on. What a killed process left beside it is gone when the next one
 * starts, unless that goes on with it.
 */
export class OutputFolder implements AsyncDisposable {
  /** Where to write. */
  readonly path: string;
  readonly #target: string;
  readonly #lock: OutputLock;
  #isLeft = false;

  private constructor(path: string, target: string, lock: OutputLock) {
    this.path = path;
    this.#target = target;
    this.#lock = lock;
  }

  /**
   * Throws `UserError` where another process writes `target`, or it is a file or a link, or holds anything and may not be
   * replaced. `goesOn` says of the folder that a stopped process left whether it is gone on with, or throws.
   */
  static async create(
    target: string,
    mayReplace = false,
    goesOn: (left: string) => Promise<boolean> = () => Promise.resolve(false),
  ): Promise<OutputFolder> {
    const full = resolve(target);
    await refuseLinked(target);
    const lock = await OutputLock.take(full);
    try {
      await recoverOutput(full);
      if (!mayReplace && await isOccupied(target)) {
        throw new UserError(
          `Cannot write folder ${target}: it holds files already. Remove it, or name another --out`,
        );
      }
      const { fresh } = besideOf(full);
      await Deno.mkdir(dirname(full), { recursive: true });
      // Of a process that was killed: whoever lives holds the lock.
      if (!await goesOn(fresh)) {
        await removeFolder(fresh);
        await Deno.mkdir(fresh, { mode: 0o700 });
        await Deno.chmod(fresh, 0o777 & ~Deno.umask());
      }
      return new OutputFolder(fresh, full, lock);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      if (error instanceof UserError) throw error;
      throw new UserError(`Cannot write ${target}: ${(error as Error).message}. Name another --out`);
    }
  }

  /** Gives the folder its name, in place of what was allowed to be there, once its files are on the disk. */
  async publish(): Promise<void> {
    for await (const { name, isFile } of Deno.readDir(this.path)) {
      if (!isFile) continue;
      using file = await Deno.open(join(this.path, name));
      await file.sync();
    }
    await putInPlace(this.path, this.#target, besideOf(this.#target).aside);
  }

  /** Leaves what is there to the process that goes on with it. */
  leave(): void {
    this.#isLeft = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isLeft) await removeFolder(this.path);
    await this.#lock[Symbol.asyncDispose]();
  }
}

/** Puts back the folder that a process was killed in replacing, where its file system cannot replace in one step. */
export async function recoverOutput(target: string): Promise<void> {
  await recoverFolder(target, besideOf(target).aside);
}

/** Where a folder is made, and where the one before makes way to; by names that only we use. */
function besideOf(target: string): { fresh: string; aside: string } {
  const full = resolve(target);
  const name = join(dirname(full), `.${basename(full)}.genrec`);
  return { fresh: `${name}-new`, aside: `${name}-old` };
}

async function isOccupied(path: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(path)) return true;
    return false;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
