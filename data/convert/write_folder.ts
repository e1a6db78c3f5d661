import { dirname } from "node:path";
import { isInside } from "../../base/files/file_name.ts";
import { OutputFolder } from "../../base/files/output_folder.ts";
import { UserError } from "../../base/user_error.ts";
import type { NamedFile } from "./writer.ts";

/**
 * Writes a folder that appears under its name when all of its files are whole. Throws `UserError` where there is
 * something already or the disk refuses, and leaves nothing behind.
 */
export async function writeFolder(out: string, files: Iterable<NamedFile>): Promise<string[]> {
  await using folder = await OutputFolder.create(out);
  const written: string[] = [];
  try {
    for (const [name, content] of files) {
      if (!isInside(name)) {
        throw new UserError(
          `Cannot write ${out}: its file ${
            JSON.stringify(name)
          } would not be inside of it. Rename it in the dataset`,
        );
      }
      const path = `${folder.path}/${name}`;
      await Deno.mkdir(dirname(path), { recursive: true });
      await writeFile(path, content instanceof Uint8Array ? [content] : encoded(content));
      written.push(name);
    }
    await folder.publish();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `Cannot write ${out}: ${(error as Error).message}. Free some space, or name another --out`,
    );
  }
  return written;
}

/** Text in pieces of about a megabyte. */
function* encoded(pieces: Iterable<string>): Generator<Uint8Array> {
  const utf8 = new TextEncoder();
  let held = "";
  for (const piece of pieces) {
    held += piece;
    if (held.length > 1 << 20) {
      yield utf8.encode(held);
      held = "";
    }
  }
  yield utf8.encode(held);
}

async function writeFile(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for (const bytes of chunks) {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
  await file.sync();
}
