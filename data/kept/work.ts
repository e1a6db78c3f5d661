import { createHash, type Hash } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { OutputLock } from "../../base/files/output/lock.ts";
import { removeFolder } from "../../base/files/output/put_in_place.ts";
import { sha256 } from "../../base/files/sha256.ts";
import { diskReason, writeAll } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { AppendedFile } from "./appended.ts";
import { foundParts, hashOfKept, keepParts, type KeptFile } from "./parts.ts";

/** Milliseconds between two moments at which work is kept, from its start on; keeping takes at most a twentieth of the time. */
const KEEP_EVERY = 30_000;
/** Bytes that are written or read at a time. */
const BLOCK = 1 << 23;
/** Bytes from which an array has a file of its own. */
const LARGE = 1 << 16;

/** How work goes on after a stop. */
export interface GoOnWith {
  /** What it depends on beside the files that it reads, by what it is called. */
  of: Record<string, string>;
  signal: AbortSignal;
  /** Told what a user should know. */
  log(line: string): void;
  /** Milliseconds between two moments at which it is kept, for tests. */
  keepEvery?: number;
}

/** Columns of numbers. */
export type Numbers =
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** How far work is. */
export interface WorkState<S> {
  /** What can be cloned; arrays in its objects are not copied. */
  values: S;
  /** What is only added to between two moments, so that this alone is written. Others are forgotten. */
  grown: Record<string, Numbers | AppendedFile>;
}

/** Columns of the work that was found. */
export type KeptColumns = Pick<KeptWork<unknown>, "has" | "column">;

/** Stands for an array that has a file of its own. */
interface ArrayFile {
  genrecArray: string;
  type: string;
}

const TYPES = { Uint8Array, Int16Array, Int32Array, Uint32Array, Float32Array, Float64Array };

/** A column that is on the disk. */
interface GrownFile {
  bytes: number;
  hash: Hash;
}

/**
 * Work that goes through large files and takes long: how far it is lies in a hidden folder beside what it is of, from half a
 * minute on until it has ended, so that the same work goes on from there after a stop, even a kill. What lies there of other
 * files, of another version or damaged is thrown away. Where nothing can be written, nothing is kept, and the work goes on.
 */
export class KeptWork<S> implements AsyncDisposable {
  readonly #folder: string;
  readonly #name: string;
  readonly #files: readonly string[];
  readonly #goOn: GoOnWith;
  #of: Record<string, string> | undefined;
  /** While the folder is ours. */
  #lock: OutputLock | undefined;
  #isRefused = false;
  #isLeft = false;
  #found: S | undefined;
  readonly #grown = new Map<string, GrownFile>();
  #arrays: KeptFile[] = [];
  #turn = 0;
  #keptAt = performance.now();
  #pause: number;

  private constructor(beside: string, name: string, files: readonly string[], goOn: GoOnWith) {
    const full = resolve(beside);
    this.#folder = join(dirname(full), `.${basename(full)}.genrec-${name}`);
    this.#name = name;
    this.#files = files;
    this.#goOn = goOn;
    this.#pause = goOn.keepEvery ?? KEEP_EVERY;
  }

  /** Work of a `name`, of `files`, kept beside a path. */
  static async open<S>(
    beside: string,
    name: string,
    files: readonly string[],
    goOn: GoOnWith,
  ): Promise<KeptWork<S>> {
    const work = new KeptWork<S>(beside, name, files, goOn);
    await work.#find();
    return work;
  }

  /** How far it was when it was stopped. */
  get found(): S | undefined {
    return this.#found;
  }

  /** A column of the work that was found, in what `make` gives for so many numbers. */
  async column<A extends Numbers>(
    name: string,
    type: { new (length: number): A; BYTES_PER_ELEMENT: number },
    make: (length: number) => A = (length) => new type(length),
  ): Promise<A> {
    const column = make(this.#grown.get(name)!.bytes / type.BYTES_PER_ELEMENT);
    await this.#read(name, column);
    return column;
  }

  /** A file of the work that was found; `what` is in it, in words. */
  async file(name: string, what: string): Promise<AppendedFile> {
    const { bytes, hash } = this.#grown.get(name)!;
    return await AppendedFile.goOn(what, join(this.#folder, name), bytes, hash.copy());
  }

  /** Whether the work that was found has a column. */
  has(name: string): boolean {
    return this.#grown.has(name);
  }

  /**
   * Between two parts of the work: keeps how far it is, at times. Throws what stopped it, which keeps it too. Without a state it
   * is as far as before.
   */
  async passed(state?: () => WorkState<S> | Promise<WorkState<S>>): Promise<void> {
    const { signal, log } = this.#goOn;
    const isStopped = signal.aborted;
    const isDue = performance.now() - this.#keptAt >= this.#pause;
    if (state && !this.#isRefused && (isDue || isStopped && this.#lock)) {
      const now = await state();
      try {
        await this.#keep(now);
      } catch (error) {
        log(
          `Cannot keep how far the ${this.#name} is in ${this.#folder}: ${diskReason(error)}. ` +
            "It goes on, and would start anew after a stop",
        );
        await this.#refuse();
      }
    }
    if (!isStopped) return;
    this.#isLeft = this.#lock !== undefined;
    if (this.#isLeft) log(`Stopped; the same command goes on from ${this.#folder}`);
    signal.throwIfAborted();
  }

  /** Leaves nothing, unless it was stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#lock && !this.#isLeft) await removeFolder(this.#folder);
    await this.#lock?.[Symbol.asyncDispose]();
  }

  async #find(): Promise<void> {
    if (!await Deno.stat(this.#folder).then(() => true, () => false)) return;
    if (!await this.#take()) return;
    const why = await this.#load();
    if (why === undefined) return;
    if (why !== "") this.#goOn.log(`Thrown away what was kept of a ${this.#name}: ${why}. It starts anew`);
    await this.#refuse();
    this.#isRefused = false;
  }

  /** Whether the folder is ours: another process may do the same work. */
  async #take(patience?: number): Promise<boolean> {
    try {
      this.#lock = await OutputLock.take(this.#folder, this.#name, patience);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#isRefused = true;
      this.#goOn.log(
        `Another ${this.#name} of it is running, or ${this.#folder} is in the way: this one is not kept`,
      );
    }
    return !this.#isRefused;
  }

  /** Takes over what is in the folder; why it does not in words, "" for nothing. */
  async #load(): Promise<string | undefined> {
    const kept = await foundParts(this.#folder, await this.#origin());
    if (kept === undefined) return "";
    if (typeof kept === "string") return kept;
    try {
      const { work, grown, turn } = kept.values as { work: unknown; grown: string[]; turn: number };
      const files = new Map(kept.files.map((file) => [file.path, file]));
      for (const file of kept.files) {
        const hash = await hashOfKept(this.#folder, file);
        if (!hash) return `${join(this.#folder, file.path)} was changed since it was written`;
        if (grown.includes(file.path)) {
          this.#grown.set(file.path, { bytes: file.bytes, hash });
        } else this.#arrays.push(file);
      }
      this.#found = await this.#withArrays(work, files) as S;
      this.#turn = turn;
    } catch (error) {
      return `${this.#folder} is damaged (${(error as Error).message})`;
    }
  }

  /** No folder, no lock, and no more of it. */
  async #refuse(): Promise<void> {
    this.#isRefused = true;
    if (this.#lock) await removeFolder(this.#folder).catch(() => {}); // the disk may refuse that too
    await this.#lock?.[Symbol.asyncDispose]();
    this.#lock = undefined;
    this.#found = undefined;
    this.#grown.clear();
    this.#arrays = [];
  }

  async #origin(): Promise<Record<string, string>> {
    if (this.#of === undefined) {
      const of = { ...this.#goOn.of };
      for (const path of this.#files) of[`file ${path}`] = await sha256(path);
      this.#of = of;
    }
    return this.#of;
  }

  async #keep({ values, grown }: WorkState<S>): Promise<void> {
    const of = await this.#origin();
    const before = performance.now();
    if (!this.#lock) {
      if (!await this.#take(0)) return;
      await removeFolder(this.#folder); // of one that was killed before it had kept anything
      await Deno.mkdir(this.#folder);
    }
    const turn = this.#turn + 1;
    const files: KeptFile[] = [];
    for (const [name, numbers] of Object.entries(grown)) files.push(await this.#grow(name, numbers));
    const arrays: KeptFile[] = [];
    const lifted: Numbers[] = [];
    const work = withoutArrays(values, (numbers) => `${turn}-${lifted.push(numbers)}`);
    for (const [i, numbers] of lifted.entries()) {
      const bytes = bytesOf(numbers), path = `${turn}-${i + 1}`;
      const hash = createHash("sha256");
      await this.#write(path, bytes, 0, hash);
      arrays.push({ path, bytes: bytes.length, sha256: hash.digest("hex") });
    }
    await keepParts(this.#folder, {
      of,
      files: [...files, ...arrays],
      values: { work, grown: Object.keys(grown), turn },
    });
    const forgotten = [...this.#grown.keys()].filter((name) => !(name in grown));
    for (const name of forgotten) this.#grown.delete(name);
    for (const path of [...this.#arrays.map(({ path }) => path), ...forgotten]) {
      await Deno.remove(join(this.#folder, path));
    }
    [this.#arrays, this.#turn] = [arrays, turn];
    this.#keptAt = performance.now();
    this.#pause = this.#goOn.keepEvery ?? Math.max(KEEP_EVERY, 20 * (this.#keptAt - before));
  }

  /** Writes what is new of a column. */
  async #grow(name: string, numbers: Numbers | AppendedFile): Promise<KeptFile> {
    if (numbers instanceof AppendedFile) {
      const kept = await numbers.keepAs(this.#folder, name);
      this.#grown.set(name, { bytes: kept.bytes, hash: createHash("sha256") });
      return kept;
    }
    const file = this.#grown.get(name) ?? { bytes: 0, hash: createHash("sha256") };
    const bytes = bytesOf(numbers);
    await this.#write(name, bytes.subarray(file.bytes), file.bytes, file.hash);
    file.bytes = bytes.length;
    this.#grown.set(name, file);
    return { path: name, bytes: file.bytes, sha256: file.hash.copy().digest("hex") };
  }

  /** Writes bytes at a place of a file, which ends behind them. */
  async #write(path: string, bytes: Uint8Array, at: number, hash: Hash): Promise<void> {
    using file = await Deno.open(join(this.#folder, path), { write: true, create: true });
    await file.truncate(at);
    await file.seek(at, Deno.SeekMode.Start);
    for (let from = 0; from < bytes.length; from += BLOCK) {
      const block = bytes.subarray(from, from + BLOCK);
      await writeAll(file, block);
      hash.update(block);
    }
    // Not synced, which would take longer than all else: what a power cut leaves has another hash, and is thrown away.
  }

  async #read(path: string, into: Numbers): Promise<void> {
    const bytes = bytesOf(into);
    using file = await Deno.open(join(this.#folder, path));
    for (let at = 0; at < bytes.length;) {
      const count = await file.read(bytes.subarray(at, at + BLOCK));
      if (count === null) throw new Error(`${path} ends at byte ${at}`);
      at += count;
    }
  }

  async #withArrays(value: unknown, files: ReadonlyMap<string, KeptFile>): Promise<unknown> {
    if (!isRecord(value)) return value;
    if (isArrayFile(value)) {
      const { genrecArray: path, type } = value;
      const make = TYPES[type as keyof typeof TYPES];
      const numbers = new make(files.get(path)!.bytes / make.BYTES_PER_ELEMENT);
      await this.#read(path, numbers);
      return numbers;
    }
    const whole: Record<string, unknown> = {};
    for (const [key, inner] of Object.entries(value)) whole[key] = await this.#withArrays(inner, files);
    return whole;
  }
}

/** The value with `put()` in place of its large arrays. */
function withoutArrays(value: unknown, put: (numbers: Numbers) => string): unknown {
  if (ArrayBuffer.isView(value)) {
    if (value.byteLength < LARGE) return (value as Numbers).slice(); // a view would be kept with all around it
    return { genrecArray: put(value as Numbers), type: value.constructor.name } satisfies ArrayFile;
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutArrays(inner, put)]));
}

/** Whether it is an object with names, and no list, set, map or array of numbers. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value) &&
    !(value instanceof Set) && !(value instanceof Map);
}

function isArrayFile(value: Record<string, unknown>): value is Record<string, unknown> & ArrayFile {
  return typeof value.genrecArray === "string";
}

function bytesOf({ buffer, byteOffset, byteLength }: Numbers): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
