import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../user_error.ts";

/**
 * A folder that appears under its name when it is whole: made beside it, renamed by `publish()`, and gone with all that
 * is in it when disposed before.
 */
export class OutputFolder implements AsyncDisposable {
  /** Where to write. */
  readonly path: string;
  readonly #target: string;

  private constructor(path: string, target: string) {
    this.path = path;
    this.#target = target;
  }

  /** Throws `UserError` where `target` is a file, or holds anything and may not be replaced. */
  static async create(target: string, mayReplace = false): Promise<OutputFolder> {
    if (!mayReplace && await isOccupied(target)) {
      throw new UserError(
        `Cannot write folder ${target}: it holds files already. Remove it, or name another --out`,
      );
    }
    const full = resolve(target);
    try {
      await Deno.mkdir(dirname(full), { recursive: true });
      const path = await Deno.makeTempDir({ dir: dirname(full), prefix: `.${basename(full)}-` });
      await Deno.chmod(path, 0o777 & ~Deno.umask());
      return new OutputFolder(path, full);
    } catch (error) {
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
    const old = `${this.path}-old`;
    const replaced = await Deno.rename(this.#target, old).then(() => true, (error) => {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    });
    await Deno.rename(this.path, this.#target);
    if (replaced) await Deno.remove(old, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

async function isOccupied(path: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(path)) return true;
    return false;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
