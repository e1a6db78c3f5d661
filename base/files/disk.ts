import { UserError } from "../user_error.ts";

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
  readFile: (path) => named(path, () => Deno.readFile(path)),
  readRange: (path, start, end) =>
    named(path, async () => {
      using file = await Deno.open(path);
      await file.seek(start, Deno.SeekMode.Start);
      const bytes = new Uint8Array(end - start);
      for (let filled = 0; filled < bytes.length;) {
        const count = await file.read(bytes.subarray(filled));
        if (count === null) {
          throw new UserError(
            `Cannot read ${path}: it ends at byte ${start + filled}, expected at least ${end}. ` +
              `It is cut off, fetch or save it again`,
          );
        }
        filled += count;
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
