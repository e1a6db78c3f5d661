import type { Corpus } from "../corpus.ts";
import type { CorpusSizes } from "../cost/sizes.ts";
import type { CorpusStream } from "../corpus_stream.ts";
import type { OnFault } from "../../base/fault.ts";
import type { DatasetStatistics } from "../statistics.ts";

/** One on-disk format. `recognises` looks at names only; `read` reads and checks everything. */
export interface DatasetFormat {
  /** Short name for messages. */
  name: string;
  /** The files it looks for, for error messages. */
  layout: string;
  /** Whether the format's files are there. */
  recognises(dir: string): Promise<boolean>;
  /**
   * Reads a directory. Throws `UserError` naming file, line and field; a fault in a single row goes to `onFault`,
   * which throws unless told otherwise, and the row is left out.
   */
  read(dir: string, onFault?: OnFault): Promise<Corpus>;
  /**
   * What {@link read} gives, in parts, where the format can be read so: all that a stream does not hold is in the memory of
   * who goes through it. Absent: it is read whole.
   */
  stream?(dir: string, onFault?: OnFault): Promise<CorpusStream>;
  /** How many rows the tables have, of a format whose files say so before they are read. */
  sizes?(dir: string): Promise<CorpusSizes>;
  /** Compares the files with what the directory itself says of them, where it does. */
  verify?(dir: string, statistics: DatasetStatistics, onFault: OnFault): Promise<void>;
}
