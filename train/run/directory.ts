import { checkFileName } from "../../base/files/file_name.ts";
import type { PieceFile } from "../../base/files/pieces.ts";
import { putInPlace, recoverFolder, removeFolder } from "../../base/files/output/put_in_place.ts";
import {
  attempt,
  diskReason,
  isFile,
  leavingNothing,
  writeAtomic,
  writeSynced,
} from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";

/** Files by name: all at once, or one after the other, so that they are not in memory together. */
export type RunFiles =
  | Record<string, string | Uint8Array>
  | AsyncIterable<{ name: string; bytes: string | Uint8Array | PieceFile }>;

/**
 * Files of a run: `config.json` (resolved), `manifest.json` (version, seed, adapter, input hashes, parent run),
 * `metrics.jsonl` (one line a log step), `checkpoints/step-N/`, `latest` and `best`, which name checkpoints, and
 * `failed-batch-N/`, of the step that stopped the run.
 */
export class RunDirectory {
  /** The directory's path, as given. */
  readonly path: string;
  #saveTotalLimit: number;
  #onWrite: (() => void) | undefined;
  /** Which folder it is, from when it was made or first written to. */
  #inode: number | null = null;

  /**
   * Names the folder; nothing is read or made yet. `saveTotalLimit` is the number of checkpoints to keep: the latest
   * ones, and the best whatever its age (both of them with 1); 0 keeps all. Default: 2. `onWrite` is called before
   * anything is written into the folder, and throws where nothing may be.
   */
  constructor(
    path: string,
    { saveTotalLimit = 2, onWrite }: { saveTotalLimit?: number; onWrite?: () => void } = {},
  ) {
    this.path = path;
    this.#saveTotalLimit = saveTotalLimit;
    this.#onWrite = onWrite;
  }

  /** Throws {@link UserError} if the directory already holds a run, or with `resume` if it holds none, or if it is a file. */
  async check(resume: boolean): Promise<void> {
    if (await isFile(this.path)) {
      throw new UserError(`Cannot keep a run in ${this.path}: it is a file. Name a folder with --out`);
    }
    const exists = await isFile(`${this.path}/config.json`);
    if (exists && !resume) {
      throw new UserError(
        `Cannot start a run in ${this.path}: it already holds one. Continue it with --resume, or name another --out`,
      );
    }
    if (!exists && resume) {
      throw new UserError(`Cannot resume ${this.path}: it holds no run. Start one without --resume`);
    }
    if (exists) await this.#checkThere(`resume ${this.path}`);
  }

  /** Makes the directory, checked as by `check()`. */
  async create(resume: boolean): Promise<void> {
    await this.check(resume);
    await attempt(
      `make ${this.path}`,
      () => Deno.mkdir(`${this.path}/checkpoints`, { recursive: true }),
      INTACT,
    );
    await this.#checkThere("make it");
  }

  /** Throws {@link UserError} where the directory went, or another came in its place, since it was first written to. */
  async #checkThere(what: string): Promise<void> {
    this.#onWrite?.();
    const stat = await Deno.stat(this.path).catch(() => undefined);
    if (stat && (this.#inode ??= stat.ino) === stat.ino) return;
    throw new UserError(
      `Cannot ${what}: ${this.path} was ${
        stat ? "replaced" : "deleted or moved"
      } while the run was writing it. ` +
        "Start again, and leave the folder alone until it ends",
    );
  }

  /** Writes a file whole or not at all. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    await this.#checkThere(`write ${this.path}/${name}`);
    await writeAtomic(`${this.path}/${name}`, content, INTACT);
  }

  /** Text of a file of the run. Throws {@link UserError} where it is missing. */
  async read(name: string): Promise<string> {
    try {
      return await Deno.readTextFile(`${this.path}/${name}`);
    } catch (error) {
      throw new UserError(
        `Cannot read ${this.path}/${name}: ${
          diskReason(error)
        }. ${this.path} should be a run directory of \`genrec sft\``,
      );
    }
  }

  /** Value of a JSON file of the run. Throws {@link UserError} where it is missing or not JSON. */
  async readJson(name: string): Promise<unknown> {
    const text = await this.read(name);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new UserError(`Cannot read ${this.path}/${name}: not JSON, ${(error as Error).message}`);
    }
  }

  /** Appends one line to `metrics.jsonl`. */
  async log(entry: Record<string, unknown>): Promise<void> {
    const line = new TextEncoder().encode(JSON.stringify(entry) + "\n");
    await this.#checkThere("write metrics.jsonl");
    await attempt(
      "write metrics.jsonl",
      () => Deno.writeFile(`${this.path}/metrics.jsonl`, line, { append: true }),
      INTACT,
    );
  }

  /** Lines of `metrics.jsonl`, none where there is no such file. */
  async logged(): Promise<Record<string, unknown>[]> {
    if (!await isFile(`${this.path}/metrics.jsonl`)) return [];
    return (await this.read("metrics.jsonl")).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Drops the log lines that `keep` refuses: a resumed run writes them again. */
  async filterLog(keep: (entry: Record<string, unknown>) => boolean): Promise<void> {
    if (!await isFile(`${this.path}/metrics.jsonl`)) return;
    const lines = (await this.read("metrics.jsonl")).split("\n").filter((line) => {
      try {
        return keep(JSON.parse(line));
      } catch {
        return false; // the last line of a killed run may be cut
      }
    });
    await this.write("metrics.jsonl", lines.map((line) => line + "\n").join(""));
  }

  /** Whether there is a checkpoint to continue from. */
  async hasCheckpoint(): Promise<boolean> {
    return await isFile(`${this.path}/latest`);
  }

  /** Directory of a checkpoint; `which` is "latest", "best" or a name such as "step-400". */
  async checkpoint(which: string): Promise<string> {
    const isPointer = which === "latest" || which === "best";
    const name = isPointer ? (await this.read(which)).trim() : which;
    const whose = isPointer ? `in ${this.path}/${which}` : "the name of a checkpoint";
    const folder = `${this.path}/checkpoints/${checkFileName(name, whose)}`;
    await recoverFolder(folder, `${folder}.old`);
    return folder;
  }

  /** Writes a checkpoint directory whole or not at all, then points `latest` (and `best`) to it and drops others. */
  async saveCheckpoint(step: number, files: RunFiles, best: boolean): Promise<void> {
    await this.#saveFolder(`checkpoints/step-${step}`, files);
    await this.write("latest", `step-${step}\n`);
    if (best) await this.markBest(step);
    await this.prune();
  }

  /** Writes `failed-batch-N/` for the step that stopped a run. Returns its path. */
  async saveFailedBatch(step: number, files: RunFiles): Promise<string> {
    return await this.#saveFolder(`failed-batch-${step}`, files);
  }

  /** Points `best` to the checkpoint of a step. */
  async markBest(step: number): Promise<void> {
    await this.write("best", `step-${step}\n`);
  }

  async #saveFolder(name: string, files: RunFiles): Promise<string> {
    const target = `${this.path}/${name}`;
    const temporary = `${target}.tmp`;
    await this.#checkThere(`save ${target}`);
    await attempt(`save ${target}`, async () => {
      await removeFolder(temporary);
      await leavingNothing(temporary, async () => {
        await Deno.mkdir(temporary); // not what is around it, which somebody may have deleted
        if (Symbol.asyncIterator in files) {
          for await (const { name, bytes } of files) {
            const folder = name.split("/").slice(0, -1).join("/");
            if (folder) await Deno.mkdir(`${temporary}/${folder}`, { recursive: true });
            await writeSynced(`${temporary}/${name}`, bytes);
          }
        } else {
          for (const [file, content] of Object.entries(files)) {
            await writeSynced(`${temporary}/${file}`, content);
          }
        }
        await putInPlace(temporary, target, `${target}.old`);
      });
    }, INTACT);
    return target;
  }

  /** Drops checkpoints beyond the limit, and what a kill left half-written or was about to drop. */
  async prune(): Promise<void> {
    const stepOf = (name: string) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? NaN);
    const keep = new Set([(await this.read("latest")).trim()]);
    if (await isFile(`${this.path}/best`)) keep.add((await this.read("best")).trim());
    for (const name of keep) await this.checkpoint(name); // which brings it back where a kill left it aside
    const found = await Array.fromAsync(Deno.readDir(`${this.path}/checkpoints`), ({ name }) => name);
    const newestFirst = found.filter((name) => !isNaN(stepOf(name))).sort((a, b) => stepOf(b) - stepOf(a));
    for (const name of newestFirst) {
      if (this.#saveTotalLimit === 0 || keep.size < this.#saveTotalLimit) keep.add(name);
    }
    for (const name of found) {
      // What is not of a checkpoint is not ours.
      if (!keep.has(name) && /^step-\d+(\.tmp|\.old)?$/.test(name)) {
        await Deno.remove(`${this.path}/checkpoints/${name}`, { recursive: true });
      }
    }
  }
}

/** What to do when the disk refuses a checkpoint. */
const INTACT = "What was saved before is intact";
