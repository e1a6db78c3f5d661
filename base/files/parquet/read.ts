import { cpuUsage } from "node:process";
import { failAtOnce, type OnFault } from "../../fault.ts";
import { diskFiles } from "../disk.ts";
import { sha256 } from "../sha256.ts";
import { notParquet, type ParquetSizes } from "./decode.ts";
import type { ParquetTable, TableType } from "./table.ts";
import type { DecodeAnswer, DecodedTable, DecodeReply, DecodeRequest, PackedColumn } from "./worker.ts";
import { UserError } from "../../user_error.ts";

/** What a table should be, where a manifest says so. */
export interface Stated {
  /** SHA-256 of the file. */
  sha256: string;
  /** What states it, for messages. */
  by: string;
  /** Gets a hash that differs; the table is read all the same, for a short time, where this does not throw. */
  onFault?: OnFault;
}

/** Seconds to decode a table, see {@link decodingTime}: at least so many, and per MiB. About ten times what one needs. */
const PATIENCE = { least: 8, perMib: 0.5 };
/** The same for a table that is known to have changed. */
const HASTE = { least: 1, perMib: 0.1 };

const MIB = 2 ** 20;
/** Memory that decoding may take: at least so many bytes, and for each byte of the file. */
const MEMORY = { least: 1024 * MIB, perByte: 64 };
const WATCH_MS = 50;
/** Least share of a processor that a decoder is taken to get, beside whatever else the machine does. */
const LEAST_SHARE = 1 / 50;
/** Bytes in which a file says that it is a pointer to another. */
const HEAD = 256;

/**
 * Reads Parquet files with a worker, which it ends when a file takes longer, or more memory, than any sound one: damaged
 * bytes can keep a decoder busy for ever. One worker reads file after file, also where several are asked for at one time.
 */
export class ParquetReader implements Disposable {
  #worker: Worker | undefined;
  #starting: Promise<Worker> | undefined;
  /** Settles with what the worker was asked last: it has one question at a time. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * The columns of `type`, row group by row group, from one of them on: memory holds one at a time, and of the file
   * what that takes. One of a file without rows. Further columns are ignored. Throws `UserError` for a file that is no Parquet, damaged, or not the
   * one `stated`, a column that is missing or holds something else, and a null where none may be.
   */
  async *groups<const T extends TableType>(
    path: string,
    type: T,
    stated?: Stated,
    from = 0,
  ): AsyncGenerator<ParquetTable<T>> {
    const size = await diskFiles.fileSize(path);
    await diskFiles.readRange(path, 0, Math.min(size, HEAD)); // says what is no file of data at all
    const isSound = stated === undefined || checkHash(path, await sha256(path), stated);
    for (let group = from, count = from + 1; group < count; group++) {
      const { table, groups } = await this.#ask<DecodedTable>({ path, rows: { type, group } }, size, isSound);
      count = groups;
      yield Object.fromEntries(
        Object.entries(table).map(([name, column]) => [name, unpack(column)]),
      ) as ParquetTable<T>;
    }
  }

  /** All of them in one table. Throws as {@link groups}. */
  async read<const T extends TableType>(path: string, type: T): Promise<ParquetTable<T>> {
    const groups = await Array.fromAsync(this.groups(path, type));
    return Object.fromEntries(
      Object.keys(type).map((name) => [name, groups.flatMap((table) => table[name] as unknown[])]),
    ) as ParquetTable<T>;
  }

  /** What the footer says of the table, which is not read. Throws `UserError` for a file that is no Parquet. */
  async sizes(path: string): Promise<ParquetSizes> {
    const size = await diskFiles.fileSize(path);
    const { sizes } = await this.#ask<{ sizes: ParquetSizes }>({ path }, size, true);
    return sizes;
  }

  /** The answer to a question, after those before it. */
  async #ask<A extends DecodeAnswer>(request: DecodeRequest, size: number, isSound: boolean): Promise<A> {
    const answer = this.#last.then(() => this.#decode(request, size, isSound));
    this.#last = answer.catch(() => {}); // told to whom it concerns
    return await answer as A;
  }

  /** `size` of the file in bytes; one that is not sound has less time. */
  async #decode(request: DecodeRequest, size: number, isSound: boolean): Promise<DecodeAnswer> {
    const { path } = request;
    const { least, perMib } = isSound ? PATIENCE : HASTE;
    const seconds = least + perMib * size / MIB;
    const most = MEMORY.least + MEMORY.perByte * size;
    const before = Deno.memoryUsage().rss;
    const started = cpuUsage();
    let watch: ReturnType<typeof setInterval> | undefined;
    const worker = await (this.#starting ??= this.#start());
    try {
      return await new Promise((resolve, fail) => {
        const reject = (error: UserError) => {
          this[Symbol.dispose](); // what is busy, or broke, answers nothing more
          fail(error);
        };
        let ticks = 0; // not the clock, which goes on while the machine sleeps
        watch = setInterval(() => {
          const { user, system } = cpuUsage(started);
          if (decodingTime(++ticks * WATCH_MS / 1e3, (user + system) / 1e6) >= seconds) {
            reject(
              notParquet(
                path,
                `it is damaged: it was not decoded within ${seconds.toFixed(1)} s of processor time`,
              ),
            );
          } else if (Deno.memoryUsage().rss - before >= most) {
            reject(
              notParquet(path, `it is damaged: decoding it took more than ${Math.round(most / MIB)} MiB`),
            );
          }
        }, WATCH_MS);
        worker.onmessage = ({ data }: MessageEvent<DecodeReply>) => {
          if ("table" in data || "sizes" in data) resolve(data);
          else if ("problem" in data) fail(new UserError(data.problem));
        };
        worker.onmessageerror = () => reject(notParquet(path, "its tables cannot be handed over"));
        worker.onerror = (event) => {
          event.preventDefault();
          reject(notParquet(path, event.message));
        };
        worker.postMessage(request);
      });
    } finally {
      clearInterval(watch);
    }
  }

  #start(): Promise<Worker> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.onmessage = () => resolve(worker);
      worker.onerror = (event) => {
        event.preventDefault();
        this[Symbol.dispose]();
        reject(new Error(`Cannot start the reader of Parquet files: ${event.message}`));
      };
    });
  }

  /** Ends the worker; the next file gets another. */
  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#worker = this.#starting = undefined;
  }
}

/** Reads one file. Throws as {@link ParquetReader.read}. */
export async function readParquet<const T extends TableType>(
  path: string,
  type: T,
): Promise<ParquetTable<T>> {
  using reader = new ParquetReader();
  return await reader.read(path, type);
}

/**
 * Seconds that a decoder had, of those waited for it and those of the processor that the process used meanwhile: the fewer,
 * since a busy machine may give a worker next to nothing for minutes; but a share of the wait at least, since one may also
 * wait for ever without using any.
 */
export function decodingTime(waited: number, used: number): number {
  return Math.max(Math.min(waited, used), waited * LEAST_SHARE);
}

/** Whether the hash that was found is the one stated; told to `onFault` where not. */
function checkHash(path: string, found: string, { sha256, by, onFault = failAtOnce }: Stated): boolean {
  if (found === sha256) return true;
  onFault(changed(path, sha256, found, by));
  return false;
}

/** The error for a file that is not the one a manifest states. */
export function changed(path: string, stated: string, found: string, by: string): UserError {
  return new UserError(
    `Cannot trust ${path}: expected the SHA-256 ${stated} of ${by}, found ${found}. It was changed or damaged since: ` +
      `make the dataset again, or take it out of "files" in ${by} where the change was meant`,
  );
}

function unpack(column: PackedColumn): unknown[] {
  if ("cells" in column) return column.cells;
  const cells: unknown[] = Array.from(column.numbers);
  column.nulls?.forEach((isNull, row) => {
    if (isNull) cells[row] = null;
  });
  return cells;
}
