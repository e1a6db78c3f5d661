import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { TOKEN_NORMALISATIONS } from "../../kernels/trie/log_softmax.ts";
import { REASON_TOKENS } from "../../prompts/text.ts";
import { HELD_FORMATS } from "../../models/decoder/decoder.ts";
import { USUAL_MAX_HISTORY } from "../../train/runs/model_directory.ts";
import { UsageError } from "./cli.ts";
import { flagOf } from "./command/property.ts";

/** Where a training writes, and whether it goes on. */
export const RunOutput = {
  out: z.string().describe("run directory to write"),
  resume: z.boolean().default(false).describe(
    "continue the run in --out from its latest checkpoint; its settings are --config OUT/config.json",
  ),
};

/** What a training reads. */
export const TrainingData = {
  data: z.string().describe(
    "dataset directory, ours or foreign, DIR:CATEGORY where one has several, or `synthetic`",
  ),
  holdoutRows: z.int().min(0).default(0).describe(
    "train on all but the last so many train targets, which stand in for the valid split, so that `genrec rank` can learn from them; 0: on all",
  ),
};

/** What a run is asked, where it can be asked several things. */
export const AskedTask = {
  task: z.string().default("").describe(
    "task to ask, of those that the model learned and that are answered with a SID, such as titles-to-sid; title-to-sid and " +
      "description-to-sid ask for an item itself, the last one of a history; without it, the next item in the words that " +
      "it learned",
  ),
};

/** Items as users name them: by number or id. */
export const NamedItems = z.array(z.union([z.int().min(0), z.string()])).default([]);

/** Items of a user. */
export const HistoryFlag = {
  history: NamedItems.describe(
    "item numbers or ids of the data, oldest first, such as 12,845,77 or B00AX,B00BY; id:12 is an id whatever the numbers",
  ),
};

/** How a run searches SIDs, beyond how it was trained. */
export const SearchFlags = {
  repetitionPenalty: z.number().gt(0).default(1).describe(
    "factor of the log-probabilities of tokens that were read or written before, as repetition_penalty of transformers has " +
      "it in beam search: above 1 they get less probable; MIMIGenRec evaluates with 1.1; 1: none",
  ),
};

/** In which numbers a language model is asked. */
export const WeightFlags = {
  weights: z.enum(HELD_FORMATS).default("float32").describe(
    "numbers of the weights in memory; int8: eight bits and a scale a row in the products of the blocks, float32 in " +
      "embeddings, head and norms",
  ),
};

const TOP_K = "draw text from so many of the most probable tokens alone; 0: from all";

/** Which tokens may be drawn, as `generate()` of transformers has it. */
export const SamplingFlags = {
  topK: z.int().min(0).default(50).describe(TOP_K),
  topP: z.number().gt(0).max(1).default(1).describe(
    "draw text from the most probable tokens that together have this share",
  ),
  minP: z.number().min(0).max(1).default(0).describe(
    "draw text from tokens alone that are at least so many times as probable as the most probable one; 0: from all",
  ),
};

/** How a run writes reasons before a SID. */
export const ReasonFlags = {
  maxNewTokens: z.int().min(0).default(0).describe(
    `most tokens of the reasons that are written before the SID, in task reasoning-to-sid; 0: ${REASON_TOKENS}, at most ` +
      "half of the --max-length of the training",
  ),
  temperature: z.number().min(0).default(0).describe(
    "of the tokens of these reasons; 0: always the most probable one",
  ),
  topK: z.int().min(0).default(0).describe(`${TOP_K}, as in all evaluations from before there was a choice`),
  topP: SamplingFlags.topP,
  minP: SamplingFlags.minP,
};

/** Those of some flags that have another value than their default, as a message names them; "" for none. */
export function changedFlags<S extends z.ZodObject>(
  { shape }: S,
  values: z.output<S>,
  keys: readonly (keyof z.output<S> & string)[],
): string {
  return keys.filter((key) => values[key] !== shape[key].def.defaultValue).map(flagOf).join(", ");
}

/** Flag of the tasks that draw nothing but these reasons. */
export const ReasonSeed = {
  seed: z.int().min(0).default(42).describe("seed of reasons that are drawn"),
};

const Reasons = z.object({ ...ReasonFlags, ...ReasonSeed });

/** Throws `UsageError` for what tells how reasons are drawn where none are. A seed that draws more is left out. */
export function checkReasonDraws(flags: z.input<typeof Reasons>): void {
  const given = Reasons.parse(flags);
  const idle = changedFlags(Reasons, given, ["topK", "topP", "minP", "seed"]);
  if (given.temperature > 0 || idle === "") return;
  throw new UsageError(
    `Cannot use ${idle} without --temperature above 0: no reasons are drawn. Add --temperature, or leave out ${idle}`,
  );
}

/** Throws `UserError` for what tells how reasons are written where none are. A seed that draws more is left out. */
export function checkReasons(
  { search, provenance: { run } }: Pick<Recommender, "search" | "provenance">,
  flags: z.input<typeof Reasons>,
): void {
  const idle = changedFlags(Reasons, Reasons.parse(flags), Reasons.keyof().options);
  if (search?.reasons || idle === "") return;
  const instead = "Leave it out, or ask a model that learned reasons for --task reasoning-to-sid";
  throw new UserError(
    `Cannot use ${idle} with ${run}: it ${
      search
        ? `is asked for task ${search.task}, whose answers have no reasons`
        : "scores items and writes no reasons"
    }. ${idle.includes(",") ? instead.replace("it", "them") : instead}`,
  );
}

/** Throws `UserError` where a task is named for what reads no text. */
export function checkAsked({ search, provenance: { run } }: Recommender, task: string): void {
  if (task === "" || search) return;
  throw new UserError(
    `Cannot ask ${run} for task ${task}: it scores items and reads no text. Leave out --task`,
  );
}

/** Flags of the tasks that read a run directory, or the directory of a model. */
export const RunFlags = {
  run: z.string().describe(
    "run directory of any task that trains, a checkpoint folder of one, or a Hugging Face directory",
  ),
  data: z.string().default("").describe("dataset directory; without it, the one that the run was trained on"),
  sids: z.string().default("").describe(
    "index.json of a Hugging Face directory; without it, the SIDs that the dataset ships",
  ),
  prompts: z.string().default("").describe(
    "prompts.json of a Hugging Face directory; without it, the one in it, or the words of genrec",
  ),
  maxHistory: z.int().min(0).default(0).describe(
    `items of a prompt of a Hugging Face directory; 0: as trained where a run tells, else ${USUAL_MAX_HISTORY}`,
  ),
  checkpoint: z.string().default("best").describe("best, latest or a name such as step-400"),
  normalisation: z.enum(["auto", ...TOKEN_NORMALISATIONS]).default("auto").describe(
    "what a token's probability is normalised over: the vocabulary, or the tokens that may follow; auto: as in " +
      "training, so children with a --trie-loss-weight, vocab without",
  ),
};
