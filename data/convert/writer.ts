import type { ParquetPiece } from "../../base/files/parquet/write.ts";
import type { TokenOrder } from "../formats/index_file.ts";
import type { Field } from "./fields.ts";
import type { SurveyedCorpus } from "./survey.ts";

/** A table that goes on where it was stopped. */
export interface RowContent {
  /** Pieces of whole rows: all, or those behind the one that had this state. */
  piecesAfter(state?: Uint8Array): AsyncIterable<ParquetPiece>;
}

/** The content of a file in pieces, so that no file has to fit in memory. */
export type FileContent = Iterable<string> | AsyncIterable<string> | RowContent;

/** Path inside the directory, and content. */
export type NamedFile = [path: string, content: FileContent];

/** The files before the one that is written now, by this process or by one that was stopped. */
export interface WrittenFiles {
  /** SHA-256 by path. */
  hashes: Record<string, string>;
  /** What a writer must know of their rows, as a value that can be cloned: it puts it here before the first file. */
  state?: unknown;
}

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
   * The files of a dataset, made as they are asked for: each is taken whole before the next one, but for those that are
   * `written`. Throws `UserError` where the corpus lacks what the format cannot do without.
   */
  files(
    corpus: SurveyedCorpus,
    options: DatasetWriteOptions,
    written: WrittenFiles,
  ): AsyncIterable<NamedFile>;
  /** What is left out beyond the fields that the format does not hold, as phrases for people. */
  leftOut?(corpus: SurveyedCorpus): Promise<string[]>;
}
