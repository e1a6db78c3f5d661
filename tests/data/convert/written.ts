import type { Corpus } from "../../../data/corpus.ts";
import { writeFolder } from "../../../data/convert/write_folder.ts";
import type { DatasetWriter } from "../../../data/convert/writer.ts";

/** Writes a corpus in a format and hands over the directory. */
export async function written(corpus: Corpus, writer: DatasetWriter, use: (dir: string) => Promise<void>) {
  const parent = await Deno.makeTempDir();
  try {
    await writeFolder(`${parent}/out`, writer.files(corpus, { tokenOrder: "text" }));
    await use(`${parent}/out`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** All of a corpus but where it came from. */
export function content({ files: _files, unread: _unread, ...rest }: Corpus) {
  return rest;
}
