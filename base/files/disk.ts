import { UserError } from "../user_error.ts";
import { isLfsPointer, LFS_BYTES, lfsPointer } from "./lfs_pointer.ts";

/** Reads files for code that knows no file system: models run in a browser too. */
export interface ReadFiles {
  /** Bytes of a file. Throws `UserError` naming the path if it cannot be read. */
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Bytes `start` to `end` (not included) of a file. Throws `UserError` if it cannot be read or is shorter. */
  readRange(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Length of a file in bytes. Throws `UserError` naming the path if there is none. */
  fileSize(path: string): Promise<number>;
  /** Names of the files in a folder, sorted. Throws `UserError` naming the path if it cannot be listed. */
  listFiles(path: string): Promise<string[]>;
}

/** The files of this machine. */
export const diskFiles: ReadFiles = {
  readFile: (path) =>
    named(path, async () => {
      await checkNoDevice(path);
      const bytes = await Deno.readFile(path);
      if (isLfsPointer(bytes, true)) throw lfsPointer(path);
      return bytes;
    }),
  readRange: (path, start, end) =>
    named(path, async () => {
      using file = await Deno.open(path);
      const bytes = new Uint8Array(end - start);
      const filled = await fill(file, bytes, start);
      if (start === 0 && isLfsPointer(bytes)) {
        const head = new Uint8Array(LFS_BYTES);
        if (isLfsPointer(head.subarray(0, await fill(file, head, 0)), true)) throw lfsPointer(path);
      }
      if (filled < bytes.length) {
        throw new UserError(
          `Cannot read ${path}: it ends at byte ${start + filled}, expected at least ${end}. ` +
            `It is cut off, fetch or save it again`,
        );
      }
      return bytes;
    }),
  fileSize: (path) => named(path, async () => (await Deno.stat(path)).size),
  listFiles: (path) =>
    named(path, async () => {
      const entries = await Array.fromAsync(Deno.readDir(path));
      return entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name).sort();
    }),
};

/** Throws `UserError` for a device, such as a link to /dev/zero, which would be read without end. */
export async function checkNoDevice(path: string): Promise<void> {
  const { isCharDevice, isBlockDevice } = await Deno.stat(path);
  if (!isCharDevice && !isBlockDevice) return;
  throw new UserError(
    `Cannot read ${path}: it is a device, expected a file. Check the path, or where it links to`,
  );
}

/** Reads a file from byte `start` on into `bytes`, as far as it goes. Returns how many there were. */
async function fill(file: Deno.FsFile, bytes: Uint8Array, start: number): Promise<number> {
  await file.seek(start, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

async function named<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`Cannot read ${path}: no such file. Check the path`);
    }
    throw new UserError(
      `Cannot read ${path}: ${(error as Error).message}. Check the path and its permissions`,
    );
  }
}
