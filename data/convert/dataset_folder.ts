import { createHash, type Hash } from "node:crypto";
import { dirname, join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { isInside } from "../../base/files/file_name.ts";
import { OutputFolder } from "../../base/files/output_folder.ts";
import { attempt, writeAll } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import {
  forgetParts,
  hashOfKept,
  keepParts,
  type KeptFile,
  type KeptParts,
  keptParts,
} from "../kept/parts.ts";
import type { FileContent, NamedFile, RowContent, WrittenFiles } from "./writer.ts";

/** Milliseconds between two moments at which rows of a file are kept; keeping takes at most a twentieth of the time. */
const KEEP_EVERY = 10_000;

/** How a conversion goes on after a stop. */
export interface GoOn {
  /** Everything that the bytes depend on, by what it is called. */
  of: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds between two moments at which rows are kept. */
  keepEvery?: number;
}

/**
 * A folder that appears under its name when all of its files are whole. A process that is stopped, at any moment, leaves
 * what it has written in a hidden folder beside it; one that writes the same goes on from there. An error leaves nothing.
 */
export class DatasetFolder implements AsyncDisposable {
  readonly #out: string;
  readonly #folder: OutputFolder;
  readonly #kept: KeptParts;
  readonly #goOn: GoOn | undefined;
  #keptAt = performance.now();
  #pause: number;

  private constructor(out: string, folder: OutputFolder, kept: KeptParts, goOn?: GoOn) {
    this.#out = out;
    this.#folder = folder;
    this.#kept = kept;
    this.#goOn = goOn;
    this.#pause = goOn?.keepEvery ?? KEEP_EVERY;
  }

  /**
   * Throws `UserError` where there is something already, the disk refuses, or what was stopped there was something else.
   * Without `goOn` nothing is kept.
   */
  static async open(out: string, goOn?: GoOn): Promise<DatasetFolder> {
    let kept: KeptParts | undefined;
    const folder = await OutputFolder.create(out, false, async (left) => {
      if (goOn) kept = await keptParts(left, goOn.of, out);
      if (kept === undefined) return false;
      for (const file of [...kept.files, ...kept.rows ? [kept.rows] : []]) await hashOf(left, file);
      return true;
    });
    return new DatasetFolder(out, folder, kept ?? { of: goOn?.of ?? {}, files: [], values: {} }, goOn);
  }

  /** What is there already. */
  get found(): Readonly<Pick<KeptParts, "files" | "rows">> {
    return this.#kept;
  }

  /** What was found under this name before the stop, or is now, for use after the next one. */
  async value<T>(name: string, make: () => Promise<T>): Promise<T> {
    if (!(name in this.#kept.values)) {
      this.#kept.values[name] = await make();
      await this.#keep();
    }
    return this.#kept.values[name] as T;
  }

  /** Writes the files, gives the folder its name and returns theirs. */
  async write(files: (written: WrittenFiles) => AsyncIterable<NamedFile>): Promise<string[]> {
    const kept = this.#kept;
    const written: WrittenFiles = {
      hashes: Object.fromEntries(kept.files.map(({ path, sha256 }) => [path, sha256])),
      ...kept.state && { state: deserialize(kept.state) },
    };
    await attempt(`write ${this.#out}`, async () => {
      for await (const [path, content] of files(written)) {
        if (!isInside(path)) {
          const name = JSON.stringify(path);
          throw new UserError(
            `Cannot write ${this.#out}: its file ${name} would not be inside of it. Rename it in the dataset`,
          );
        }
        if (Object.hasOwn(written.hashes, path)) continue;
        const file = await this.#writeFile(path, content);
        written.hashes[path] = file.sha256;
        kept.files.push(file);
        kept.rows = undefined;
        if (written.state !== undefined) kept.state = serialize(written.state);
        await this.#keep();
      }
      await forgetParts(this.#folder.path);
      await this.#folder.publish();
    });
    return kept.files.map(({ path }) => path);
  }

  async #writeFile(path: string, content: FileContent): Promise<KeptFile> {
    const full = join(this.#folder.path, path);
    await Deno.mkdir(dirname(full), { recursive: true });
    const rows = isRows(content) && this.#kept.rows?.path === path ? this.#kept.rows : undefined;
    const hash = rows ? await hashOf(this.#folder.path, rows) : createHash("sha256");
    using file = await Deno.open(full, { write: true, create: true });
    await file.truncate(rows?.bytes ?? 0);
    let bytes = await file.seek(0, Deno.SeekMode.End);
    for await (const piece of isRows(content) ? content.piecesAfter(rows?.state) : encoded(content)) {
      await writeAll(file, piece.bytes);
      hash.update(piece.bytes);
      bytes += piece.bytes.length;
      const isStopped = this.#goOn?.signal?.aborted ?? false;
      if (piece.state && (isStopped || this.#isTime())) {
        await file.sync();
        const sha256 = hash.copy().digest("hex");
        this.#kept.rows = { path, bytes, sha256, rows: piece.rows, state: piece.state() };
        await this.#keep();
      }
      if (isStopped) {
        this.#folder.leave();
        this.#goOn!.signal!.throwIfAborted();
      }
    }
    await file.sync();
    return { path, bytes, sha256: hash.digest("hex") };
  }

  #isTime(): boolean {
    return this.#goOn !== undefined && performance.now() - this.#keptAt >= this.#pause;
  }

  async #keep(): Promise<void> {
    if (!this.#goOn) return;
    const before = performance.now();
    await keepParts(this.#folder.path, this.#kept);
    this.#keptAt = performance.now();
    this.#pause = Math.max(this.#goOn.keepEvery ?? KEEP_EVERY, 20 * (this.#keptAt - before));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Writes a folder that appears under its name when all of its files are whole, or, after an error, not at all. */
export async function writeFolder(
  out: string,
  files: (written: WrittenFiles) => AsyncIterable<NamedFile>,
): Promise<string[]> {
  await using folder = await DatasetFolder.open(out);
  return await folder.write(files);
}

/** The hash of what is there of a file. Throws `UserError` where that is something else. */
async function hashOf(folder: string, file: KeptFile): Promise<Hash> {
  const hash = await hashOfKept(folder, file);
  if (hash) return hash;
  const path = join(folder, file.path);
  throw new UserError(
    `Cannot go on with ${path}: it was changed since it was written. Remove ${folder} to start anew`,
  );
}

function isRows(content: FileContent): content is RowContent {
  return typeof content === "object" && "piecesAfter" in content;
}

/** Content in pieces of about a megabyte, behind none of which it could go on. */
async function* encoded(pieces: Exclude<FileContent, RowContent>): AsyncGenerator<EncodedPiece> {
  const utf8 = new TextEncoder();
  let held = "";
  for await (const piece of pieces) {
    held += piece;
    if (held.length <= 1 << 20) continue;
    yield { bytes: utf8.encode(held) };
    held = "";
  }
  yield { bytes: utf8.encode(held) };
}

interface EncodedPiece {
  bytes: Uint8Array;
  rows?: undefined;
  state?: undefined;
}
