import type { Corpus } from "../corpus.ts";
import { toDataset, withoutSamples } from "../corpus_dataset.ts";
import { type CorpusParts, partsOfStream } from "../corpus_parts.ts";
import { type CorpusStream, streamOf } from "../corpus_stream.ts";
import type { Dataset } from "../dataset.ts";
import type { DatasetFormat } from "./format.ts";
import * as registry from "./registry.ts";
import type { OnFault } from "../../base/fault.ts";
import { recoverOutput } from "../../base/files/output_folder.ts";
import { UserError } from "../../base/user_error.ts";

const formats: Record<string, DatasetFormat> = registry;

/**
 * Loads a dataset directory of any registered format, or built-in data by name (`synthetic`, `synthetic:SEED`).
 * Throws `UserError` when no format fits or the files do not pass its checks.
 */
export async function loadDataset(dir: string): Promise<Dataset> {
  return toDataset(await loadCorpus(dir));
}

/** `loadDataset` without samples, and of items ids, titles and categories alone: see `withoutSamples()`. */
export async function loadWithoutSamples(dir: string): Promise<Dataset> {
  using stream = await openStream(await findFormat(dir), dir);
  return await withoutSamples(stream, true);
}

/** `loadDataset` with everything that the files say. */
export async function loadCorpus(dir: string): Promise<Corpus> {
  return await (await findFormat(dir)).read(dir);
}

/** A corpus in parts, whose files are open until it is disposed of. */
export interface OpenCorpus extends Disposable {
  corpus: CorpusParts;
}

/** A dataset directory as a stream, where the format can be read so; one that cannot is read whole. */
export async function openStream(
  format: DatasetFormat,
  dir: string,
  onFault?: OnFault,
): Promise<CorpusStream> {
  return await format.stream?.(dir, onFault) ?? streamOf(await format.read(dir, onFault));
}

/** {@link openStream} with what lies beside the tables. */
export async function openCorpus(format: DatasetFormat, dir: string): Promise<OpenCorpus> {
  const stream = await openStream(format, dir);
  try {
    return { corpus: await partsOfStream(stream), [Symbol.dispose]: () => stream[Symbol.dispose]() };
  } catch (error) {
    stream[Symbol.dispose]();
    throw error;
  }
}

/** The format that a dataset directory has. Throws `UserError` when it has none. */
export async function findFormat(dir: string): Promise<DatasetFormat> {
  await recoverOutput(dir);
  for (const format of Object.values(formats)) {
    if (await format.recognises(dir)) return format;
  }
  const isDirectory = await Deno.stat(dir).then((stat) => stat.isDirectory, () => undefined);
  if (isDirectory !== true) {
    const found = isDirectory === undefined ? "nothing" : "a file";
    throw new UserError(
      `Cannot load dataset ${dir}: expected a directory, found ${found}. ` +
        `Check the path, or use --data synthetic for built-in data`,
    );
  }
  const tried = Object.values(formats).map(({ name, layout }) => `${name} (${layout})`).join("; ");
  throw new UserError(
    `Cannot load dataset ${dir}: its files fit none of the formats ${tried}. Check the path, or make a dataset of logs in ` +
      "other tables with `genrec data`",
  );
}
