import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { SftConfig } from "../../train/sft/config.ts";
import { SftSchema } from "../../train/sft/schema.ts";

/**
 * Defaults where pretrained weights are trained on: they need smaller steps and no noise, and in few epochs their
 * average lags behind. Rates as in MiniOneRec's and MIMIGenRec's training files.
 */
const PRETRAINED = {
  numTrainEpochs: 3,
  learningRate: 3e-4,
  warmupSteps: 20,
  labelSmoothing: 0,
  dropout: 0,
  emaDecay: 0,
};
/** What the directory of a model decides. */
const ARCHITECTURE = [
  "modelType",
  "hiddenSize",
  "intermediateSize",
  "numHiddenLayers",
  "numAttentionHeads",
  "numKeyValueHeads",
  "tieWordEmbeddings",
  "initializerRange",
] as const;

const { shape } = SftSchema;

/** Headings of `--help`; what is under none of them trains. */
const GROUPS: Record<string, readonly (keyof SftConfig)[]> = {
  "What it learns from": [
    "mode",
    "tasks",
    "prompts",
    "category",
    "preferences",
    "maxLength",
    "longSequences",
    "lossNormalisation",
    "historyLossWeight",
    "valueAware",
    "maxHistory",
    "historyWeight",
    "firstItemWeight",
    "recencyWeight",
    "maxSequenceItems",
  ],
  "The model": ["model", "fromScratch", "tokenizer", "trimVocabulary", "trimMinCount", ...ARCHITECTURE],
  "What of it is trained": [
    "freeze",
    "loraR",
    "loraAlpha",
    "loraDropout",
    "loraTargetModules",
    "useRslora",
  ],
  "Validation and checkpoints": [
    "evalSteps",
    "evalSamples",
    "evalBeams",
    "metricForBestModel",
    "patience",
    "saveSteps",
    "saveTotalLimit",
    "loggingSteps",
    "reportTo",
  ],
};
const TRAINING = "Training";

type Optional<K extends keyof typeof shape> = {
  [P in K]: z.ZodOptional<ReturnType<typeof shape[P]["unwrap"]>>;
};
type Flags = typeof shape & Optional<keyof typeof PRETRAINED | typeof ARCHITECTURE[number]>;

/** The settings as flags; those that depend on the model have no default of their own. */
export const SftFlags = z.strictObject(
  Object.fromEntries(
    Object.entries(shape).map(([key, field]) => {
      const name = key as keyof SftConfig;
      const group = Object.keys(GROUPS).find((group) => GROUPS[group].includes(name)) ?? TRAINING;
      const pretrained = key in PRETRAINED
        ? `on pretrained weights ${PRETRAINED[key as keyof typeof PRETRAINED]}`
        : (ARCHITECTURE as readonly string[]).includes(key)
        ? "with --model the model's"
        : undefined;
      const description = pretrained
        ? `${field.description}; default ${field.def.defaultValue}, ${pretrained}`
        : field.description;
      return [key, (pretrained ? field.unwrap().optional() : field).meta({ description, group })];
    }),
  ) as Flags,
);

/**
 * Complete settings of flags. A resumed run's are complete already.
 * @throws {UserError} for a size of the model beside a directory that decides it.
 */
export function sftSettings(flags: z.output<typeof SftFlags>, resume: boolean): SftConfig {
  const given = ARCHITECTURE.filter((key) => flags[key] !== undefined);
  if (flags.model !== "" && !resume && given.length > 0) {
    throw new UserError(
      `Cannot set ${
        given.join(", ")
      } of ${flags.model}: its config.json decides that. Leave it out, or train a model ` +
        "of your own shape with --tokenizer in place of --model",
    );
  }
  const defaults = flags.model !== "" && !flags.fromScratch ? PRETRAINED : {};
  const own = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  return SftSchema.parse({ ...defaults, ...own });
}
