import { UserError } from "./user_error.ts";

/** The text of a UTF-8 file. Throws `UserError` when it is missing, unreadable or not UTF-8. */
export async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`Cannot read ${path}: no such file. Check the path`);
    }
    throw new UserError(
      `Cannot read ${path}: ${(error as Error).message}. Check the path and its permissions`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(
      `Cannot read ${path}: expected UTF-8 text, found other bytes. Convert the file to UTF-8`,
    );
  }
}
