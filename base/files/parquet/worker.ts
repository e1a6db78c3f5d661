// Decodes tables apart from the program, which can end it: damaged bytes can keep the decoder busy for ever.
import { decodeParquet, notParquet, type ParquetSizes, parquetSizes } from "./decode.ts";
import type { AsyncBuffer } from "hyparquet";
import type { TableType } from "./table.ts";
import { UserError } from "../../user_error.ts";

/** What the worker is asked. */
export interface DecodeRequest {
  /** File, of which those bytes are read that are needed. */
  path: string;
  /** What of which row group, from 0, is wanted; absent: what the footer says. */
  rows?: { group: number; type: TableType };
}

/** A column on its way: numbers as one buffer, `nulls` where there are any. */
export type PackedColumn =
  | { cells: unknown[] }
  | { numbers: Float64Array<ArrayBuffer>; nulls?: Uint8Array<ArrayBuffer> };

/** Rows of a file. */
export interface DecodedTable {
  table: Record<string, PackedColumn>;
  /** Row groups of the file. */
  groups: number;
}

/** What was asked for. */
export type DecodeAnswer = DecodedTable | { sizes: ParquetSizes };

/** What the worker answers: first that it is there. */
export type DecodeReply =
  | { ready: true }
  | DecodeAnswer
  | { problem: string };

/** What a worker's scope has beyond a window's, which the types of a package may not name. */
interface WorkerScope {
  onmessage: (event: MessageEvent<DecodeRequest>) => Promise<void>;
  postMessage(message: DecodeReply, transfer: ArrayBuffer[]): void;
}
const scope = globalThis as unknown as WorkerScope;

/**
 * Looks at bytes that decoding may take for each byte of a file, and what any file may take beyond that. Snappy makes at most
 * 22 bytes of one, and packed bits are looked at once a value.
 */
const LOOKS = { perByte: 256, least: 2 ** 20 };
let looksLeft = 0;

// A damaged length can send hyparquet back to bytes it has read, again and again, and Deno does not end a worker that is busy
// (denoland/deno#35657): so the way to the next byte, which every such round takes, is what ends it.
const getUint8 = DataView.prototype.getUint8;
DataView.prototype.getUint8 = function (this: DataView, offset: number) {
  if (--looksLeft < 0) throw new RangeError("it is damaged: its parts overlap");
  return getUint8.call(this, offset);
};

scope.onmessage = async ({ data: { path, rows } }) => {
  looksLeft = LOOKS.least;
  try {
    using file = Deno.openSync(path);
    if (rows === undefined) return reply({ sizes: await parquetSizes(bytesOf(file), path) });
    const { type, group } = rows;
    const { table, groups } = await decodeParquet(bytesOf(file), path, type, group);
    const packed: Record<string, PackedColumn> = {};
    const buffers: ArrayBuffer[] = [];
    for (const [name, { kind }] of Object.entries(type)) {
      const cells: unknown[] = table[name];
      if (kind !== "integer" && kind !== "long" && kind !== "number") {
        packed[name] = { cells };
        continue;
      }
      const numbers = Float64Array.from(cells as (number | null)[], (cell) => cell ?? 0);
      const nulls = cells.includes(null)
        ? Uint8Array.from(cells, (cell) => cell === null ? 1 : 0)
        : undefined;
      packed[name] = { numbers, ...(nulls && { nulls }) };
      buffers.push(numbers.buffer, ...(nulls ? [nulls.buffer] : []));
    }
    reply({ table: packed, groups }, buffers);
  } catch (error) {
    const told = error instanceof UserError ? error : notParquet(path, (error as Error).message);
    reply({ problem: told.message });
  }
};

/** Bytes of a file, of which each may be looked at so often; places beyond it are its end, as for `ArrayBuffer.slice()`. */
function bytesOf(file: Deno.FsFile): AsyncBuffer {
  const byteLength = file.statSync().size;
  return {
    byteLength,
    slice(from, to = byteLength) {
      const place = (at: number) => Math.min(byteLength, Math.max(0, at < 0 ? byteLength + at : at));
      const start = place(from), end = Math.max(start, place(to));
      looksLeft += LOOKS.perByte * (end - start);
      return rangeOf(file, start, end);
    },
  };
}

function rangeOf(file: Deno.FsFile, start: number, end: number): ArrayBuffer {
  const bytes = new Uint8Array(end - start);
  file.seekSync(start, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) throw new RangeError(`it ends at byte ${start + filled}`);
    filled += count;
  }
  return bytes.buffer;
}

function reply(message: DecodeReply, transfer: ArrayBuffer[] = []): void {
  scope.postMessage(message, transfer);
}

// Where one column throws while others are read, hyparquet forgets them: theirs is the same file's damage, which was told.
globalThis.addEventListener("unhandledrejection", (event) => event.preventDefault());

reply({ ready: true });
