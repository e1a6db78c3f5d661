import type { Corpus } from "../../../data/corpus.ts";
import { writeFolder } from "../../../data/convert/write_folder.ts";
import type { DatasetWriteOptions, DatasetWriter } from "../../../data/convert/writer.ts";

/** As `convert` writes without flags, from nowhere. */
export const PLAIN: DatasetWriteOptions = { tokenOrder: "text", origin: { settings: {}, inputs: {} } };

/** Writes a corpus in a format and hands over the directory. */
export async function written(corpus: Corpus, writer: DatasetWriter, use: (dir: string) => Promise<void>) {
  const parent = await Deno.makeTempDir();
  try {
    await writeFolder(`${parent}/out`, writer.files(corpus, PLAIN));
    await use(`${parent}/out`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** All of a corpus but where it came from. */
export function content({ files: _files, unread: _unread, ...rest }: Corpus) {
  return rest;
}
