import { dirname } from "node:path";
import { isInside } from "../../base/files/file_name.ts";
import { OutputFolder } from "../../base/files/output_folder.ts";
import { UserError } from "../../base/user_error.ts";
import type { FileContent, NamedFile } from "./writer.ts";

/**
 * Writes a folder that appears under its name when all of its files are whole. Throws `UserError` where there is
 * something already or the disk refuses, and leaves nothing behind.
 */
export async function writeFolder(out: string, files: AsyncIterable<NamedFile>): Promise<string[]> {
  await using folder = await OutputFolder.create(out);
  const written: string[] = [];
  try {
    for await (const [name, content] of files) {
      if (!isInside(name)) {
        throw new UserError(
          `Cannot write ${out}: its file ${
            JSON.stringify(name)
          } would not be inside of it. Rename it in the dataset`,
        );
      }
      const path = `${folder.path}/${name}`;
      await Deno.mkdir(dirname(path), { recursive: true });
      await writeFile(path, encoded(content));
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

/** Content in pieces of about a megabyte. */
async function* encoded(pieces: FileContent): AsyncGenerator<Uint8Array> {
  const utf8 = new TextEncoder();
  let held = "";
  for await (const piece of pieces) {
    if (typeof piece === "string") held += piece;
    if (held.length > 1 << 20 || typeof piece !== "string") {
      yield utf8.encode(held);
      held = "";
    }
    if (typeof piece !== "string") yield piece;
  }
  yield utf8.encode(held);
}

async function writeFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for await (const bytes of chunks) {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
  await file.sync();
}
