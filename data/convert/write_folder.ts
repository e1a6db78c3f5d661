import { dirname } from "node:path";
import { UserError } from "../user_error.ts";
import type { NamedFile } from "./writer.ts";

/**
 * Writes a folder that appears under its name when all of its files are whole. Throws `UserError` where there is
 * something already or the disk refuses, and leaves nothing behind.
 */
export async function writeFolder(out: string, files: Iterable<NamedFile>): Promise<string[]> {
  const path = out.replace(/\/+$/, "");
  await refuseContent(path);
  const temporary = `${path}.tmp`;
  const written: string[] = [];
  try {
    await Deno.mkdir(temporary, { recursive: true });
    for (const [name, content] of files) {
      await Deno.mkdir(dirname(`${temporary}/${name}`), { recursive: true });
      await writeFile(`${temporary}/${name}`, content instanceof Uint8Array ? [content] : encoded(content));
      written.push(name);
    }
    await Deno.remove(path).catch(() => {}); // an empty folder, or none
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {}); // the first error is the one to tell
    if (error instanceof UserError) throw error;
    throw new UserError(
      `Cannot write ${path}: ${(error as Error).message}. Free some space, or name another --out`,
    );
  }
  return written;
}

async function refuseContent(path: string): Promise<void> {
  let first: IteratorResult<Deno.DirEntry>;
  try {
    first = await Deno.readDir(path)[Symbol.asyncIterator]().next();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new UserError(`Cannot write folder ${path}: ${(error as Error).message}. Name another --out`);
  }
  if (first.done) return;
  throw new UserError(
    `Cannot write folder ${path}: it holds files already. Remove it, or name another --out`,
  );
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
