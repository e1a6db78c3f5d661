import type { Dataset } from "../../data/dataset.ts";
import type { SamplingOptions } from "../../decode/sampling.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import type { HeldFormat } from "../../models/decoder/decoder.ts";
import type { RunFolder } from "./run_folder.ts";
import type { SidRun } from "./sid_model.ts";

/** How to open a run; all have defaults. */
export interface OpenRunOptions extends Pick<SamplingOptions, "topK" | "topP" | "minP"> {
  /** Dataset directory; default: the one that the run was trained on. */
  data?: string;
  /** The dataset, where it is in memory already; goes before `data`. */
  dataset?: Dataset;
  /**
   * Whether nothing is asked of the dataset but ids, titles and categories of its items: of runs that need no more
   * themselves, samples are not read. Default: false.
   */
  itemsOnly?: boolean;
  /** Checkpoint: `best` (default; the latest one where none was validated), `latest`, or a name such as `step-400`. */
  checkpoint?: string;
  /** `index.json` of a Hugging Face directory; default: the one in it, or the SIDs that the dataset ships. */
  sids?: string;
  /** `prompts.json` of a Hugging Face directory; default: the one in it, or the words of genrec (`chat`: those in its chat template). */
  prompts?: string;
  /** Task to ask, of those that it learned; "" (default): the next item, as it learned to be asked for it. */
  task?: string;
  /** Most tokens of reasons that are written before a SID, in tasks that have them. 0 (default): 128, at most half of what it was trained with. */
  maxNewTokens?: number;
  /** Divides the logits that tokens of reasons are drawn by; 0 (default): always the most probable one. */
  temperature?: number;
  /** Seed of these draws. Default: 42. */
  seed?: number;
  /** Items of a prompt of a Hugging Face directory; 0 (default): as trained where a run tells, else 10. */
  maxHistory?: number;
  /** What a token's probability is normalised over where SIDs are searched; `auto` (default): as in training. */
  normalisation?: TokenNormalisation | "auto";
  /** Factor of the log-probabilities of tokens that were read or written before, as in transformers. Default: 1, none. */
  repetitionPenalty?: number;
  /** Numbers that the weights are kept in; those of decoders alone can be "int8". Default: "float32". */
  weights?: HeldFormat;
  /** Write any codewords, be they a SID or not; for models with a table for each level. Default: false. */
  unconstrained?: boolean;
  /** Device for the weights, or what opens one when they are loaded; default: `Device.open()`. */
  device?: Device | (() => Promise<Device>);
}

/** Opens another folder, whatever its kind: for runs that are made of others. */
export type OpenOther = (path: string, options: OpenRunOptions) => Promise<Recommender>;

/** A line of the registry: a kind of folder that a task writes, and how it becomes a recommender. */
export interface RunKind {
  /** Name in reports, such as `baseline run`. */
  readonly name: string;
  /** What such folders are, for messages; absent of those that only tell why they recommend nothing. */
  readonly summary?: string;
  /** Whether a folder is of this kind; kinds exclude each other. */
  matches(folder: RunFolder): boolean;
  /** Reads all but the weights. Throws `UserError` for what is missing, damaged or does not fit. */
  open(folder: RunFolder, options: OpenRunOptions, openOther: OpenOther): Promise<Recommender>;
  /** The model behind it, for training that goes on from it; absent where it writes no SIDs. Throws as `open()`. */
  openSids?(folder: RunFolder, options: OpenRunOptions): Promise<SidRun>;
}
