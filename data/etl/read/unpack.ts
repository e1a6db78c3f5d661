import { createReadStream } from "node:fs";
import { Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { UserError } from "../../../base/user_error.ts";
import { type FramePiece, ZstdFrames } from "./zstd_frames.ts";

/** How the bytes of a file are packed. */
export type Packing = "gzip" | "zstd" | "none";

/** Letters of Latin-1 that tell what is not unpacked here, with their place in the file. */
const FOREIGN: readonly [at: number, letters: string, what: string][] = [
  [0, "PK\x03\x04", "a zip archive"],
  [4, "1AY&SY", "packed with bzip2"],
  [0, "\xfd7zXZ\0", "packed with xz"],
  [0, "7z\xbc\xaf\x27\x1c", "a 7z archive"],
  [0, "\x04\x22\x4d\x18", "packed with lz4"],
];
const MAGIC_BYTES = 10;

/**
 * How a local file is packed, by its first bytes: names lie, and endings come in capitals. Throws `UserError` for other
 * ways of packing.
 */
export async function packingOf(path: string): Promise<Packing> {
  const head = new Uint8Array(MAGIC_BYTES);
  try {
    using file = await Deno.open(path);
    await file.read(head);
  } catch (error) {
    throw new UserError(
      `Cannot read ${path}: ${(error as Error).message}. Check the path and its permissions`,
    );
  }
  const magic = String.fromCharCode(...head);
  const foreign = FOREIGN.find(([at, letters]) => magic.startsWith(letters, at));
  if (foreign) {
    throw new UserError(
      `Cannot read ${path}: it is ${foreign[2]}, expected text, gzip or zstd. Unpack it first`,
    );
  }
  if (magic.startsWith("\x1f\x8b")) return "gzip";
  const number = new DataView(head.buffer).getUint32(0, true);
  return number === 0xfd2fb528 || number >>> 4 === 0x184d2a5 ? "zstd" : "none";
}

/**
 * The bytes of a local file, unpacked; `onBytes` sees them as they are in the file. Throws `UserError` where the file is
 * torn or damaged.
 */
export async function* unpacked(
  path: string,
  { signal, onBytes }: { signal?: AbortSignal; onBytes?(bytes: Uint8Array): void } = {},
): AsyncGenerator<Uint8Array> {
  const packing = await packingOf(path);
  const file = createReadStream(path, { highWaterMark: 1 << 18, signal });
  let unreadable: Error | undefined;
  file.on("error", (error) => unreadable = error);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of file) {
      onBytes?.(chunk);
      yield chunk;
    }
  }
  try {
    if (packing === "none") yield* bytes();
    else if (packing === "gzip") yield* through(bytes(), createGunzip());
    else yield* zstdDecoded(bytes());
  } catch (error) {
    signal?.throwIfAborted();
    const { code, message } = (unreadable ?? error) as Error & { code?: string };
    if (packing === "none" || unreadable) {
      throw new UserError(`Cannot read ${path}: ${message}. Check the path and its permissions`);
    }
    const fault = code === TORN ? "the file ends too early" : `the file is damaged (${message})`;
    throw new UserError(
      `Cannot read ${path} as ${packing}: ${fault}. Download it again and compare its size`,
    );
  } finally {
    file.destroy();
  }
}

/** What zlib calls the end of a stream before its time. */
const TORN = "Z_BUF_ERROR";

/** Frame by frame, since the decoder stops at the end of the first. */
async function* zstdDecoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  const pieces = (async function* () {
    for await (const chunk of bytes) yield* frames.push(chunk);
  })();
  for (let start = await pieces.next(); !start.done; start = await pieces.next()) {
    yield* through(oneFrame(start.value, pieces), createZstdDecompress());
  }
  if (!frames.whole) throw Object.assign(new Error("the last frame is not whole"), { code: TORN });
}

async function* oneFrame(
  first: FramePiece,
  following: AsyncIterator<FramePiece>,
): AsyncGenerator<Uint8Array> {
  for (let next: FramePiece | undefined = first; next;) {
    yield next.piece;
    if (next.ends) return;
    const { done, value }: IteratorResult<FramePiece> = await following.next();
    next = done ? undefined : value;
  }
}

async function* through(bytes: AsyncIterable<Uint8Array>, decoder: Transform): AsyncGenerator<Uint8Array> {
  const source = Readable.from(bytes);
  source.on("error", (error) => decoder.destroy(error));
  try {
    yield* source.pipe(decoder);
  } finally {
    decoder.destroy();
    source.destroy();
  }
}
