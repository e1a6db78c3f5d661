import { diskFiles } from "./disk.ts";
import { UserError } from "../user_error.ts";

/** The text of a UTF-8 file. Throws `UserError` when it is missing, unreadable or not UTF-8. */
export async function readText(path: string): Promise<string> {
  const bytes = await diskFiles.readFile(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(
      `Cannot read ${path}: expected UTF-8 text, found other bytes. Convert the file to UTF-8`,
    );
  }
}
