import { createReadStream } from "node:fs";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { UserError } from "../../../base/user_error.ts";
import { ZstdFrames } from "./zstd_frames.ts";

/** How the bytes of a file are packed. */
export type Packing = "gzip" | "zstd" | "none";

/** How a local file is packed, by its first bytes: names lie, and endings come in capitals. */
export async function packingOf(path: string): Promise<Packing> {
  const head = new Uint8Array(4);
  try {
    using file = await Deno.open(path);
    await file.read(head);
  } catch (error) {
    throw new UserError(
      `Cannot read ${path}: ${(error as Error).message}. Check the path and its permissions`,
    );
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  const magic = new DataView(head.buffer).getUint32(0, true);
  return magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5 ? "zstd" : "none";
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
  const bytes = createReadStream(path, { highWaterMark: 1 << 18, signal });
  const frames = packing === "zstd" ? new ZstdFrames() : undefined;
  if (onBytes || frames) {
    bytes.on("data", (chunk) => {
      onBytes?.(chunk as Uint8Array);
      frames?.push(chunk as Uint8Array);
    });
  }
  const decoder = packing === "gzip"
    ? createGunzip()
    : packing === "zstd"
    ? createZstdDecompress()
    : undefined;
  if (decoder) bytes.on("error", (error) => decoder.destroy(error));
  const torn =
    `Cannot read ${path} as ${packing}: the file ends too early. Download it again and compare its size`;
  try {
    yield* decoder ? bytes.pipe(decoder) : bytes;
  } catch (error) {
    signal?.throwIfAborted();
    const { code, message } = error as Error & { code?: string };
    if (packing === "none" || !/^(Z_|ZSTD_)/.test(code ?? "")) {
      throw new UserError(`Cannot read ${path}: ${message}. Check the path and its permissions`);
    }
    if (code === "Z_BUF_ERROR") throw new UserError(torn);
    throw new UserError(
      `Cannot read ${path} as ${packing}: the file is damaged (${message}). Download it again and compare its size`,
    );
  } finally {
    bytes.destroy();
    decoder?.destroy();
  }
  if (frames && !frames.whole) throw new UserError(torn);
}
