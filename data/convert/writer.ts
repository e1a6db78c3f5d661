import type { TokenOrder } from "../formats/index_file.ts";
import type { Field } from "./fields.ts";
import type { SurveyedCorpus } from "./survey.ts";

/** The content of a file in pieces of text or bytes, so that no file has to fit in memory. */
export type FileContent = Iterable<string> | AsyncIterable<string | Uint8Array>;

/** Path inside the directory, and content. */
export type NamedFile = [path: string, content: FileContent];

/** Which rows of tasks are written. */
export interface RowChoice {
  /** Names of {@link DatasetWriter.rowTasks}; none: all. */
  tasks: readonly string[];
  /** Most rows that ask for the next item by the titles of a history; of more, so many are drawn. 0: all. */
  titleHistories: number;
  /** Of the draw. */
  seed: number;
}

/** What the user decides about the files. */
export interface DatasetWriteOptions {
  /** Order of `new_tokens.json`. */
  tokenOrder: TokenOrder;
  /** Which rows of tasks are written, for formats that have some; absent: all. */
  rows?: RowChoice;
  /** What the files are made with, for formats that say so: settings, and SHA-256 of what was read, by path. */
  origin: { settings: Record<string, unknown>; inputs: Record<string, string> };
}

/** Writes datasets in one on-disk format. */
export interface DatasetWriter {
  /** Name on the command line. */
  name: string;
  /** Parts of a corpus that its files hold. */
  holds: readonly Field[];
  /** Tasks of which it writes rows in words; absent: of none. */
  rowTasks?: readonly string[];
  /**
   * The files of a dataset, made as they are asked for: each is taken whole before the next one. Throws `UserError` where the corpus lacks what the format
   * cannot do without.
   */
  files(corpus: SurveyedCorpus, options: DatasetWriteOptions): AsyncIterable<NamedFile>;
  /** What is left out beyond the fields that the format does not hold, as phrases for people. */
  leftOut?(corpus: SurveyedCorpus): Promise<string[]>;
}
