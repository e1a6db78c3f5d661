import type { Corpus } from "../../../data/corpus.ts";
import { type CorpusParts, corpusParts } from "../../../data/corpus_parts.ts";
import { surveyed } from "../../../data/convert/survey.ts";
import { writeFolder } from "../../../data/convert/dataset_folder.ts";
import type { DatasetWriteOptions, DatasetWriter } from "../../../data/convert/writer.ts";

/** As `convert` writes without flags, from nowhere. */
export const PLAIN: DatasetWriteOptions = { tokenOrder: "text", origin: { settings: {}, inputs: {} } };

/** Writes a corpus, held or in parts, in a format and hands over the directory. */
export async function written(
  corpus: Corpus | CorpusParts,
  writer: DatasetWriter,
  use: (dir: string) => Promise<void>,
) {
  const parent = await Deno.makeTempDir();
  try {
    await writeFolder(`${parent}/out`, (made) => writer.files(surveyed(inParts(corpus)), PLAIN, made));
    await use(`${parent}/out`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** A corpus as writers take it. */
export function inParts(corpus: Corpus | CorpusParts): CorpusParts {
  return typeof corpus.interactions === "function" ? corpus as CorpusParts : corpusParts(corpus as Corpus);
}

/** All of a corpus but where it came from. */
export function content({ files: _files, unread: _unread, ...rest }: Corpus) {
  return rest;
}
