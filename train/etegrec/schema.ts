import { z } from "zod";
import { encoderDecoderFields, pairTrainingFields } from "../encoder_decoder/pair_config.ts";
import { type EtegrecConfig, SIA_SIGNS, UNIQUENESS } from "./config.ts";
import { tokenizerFields } from "./tokenizer_config.ts";

const count = (min = 1) => z.int().min(min);
const weight = z.number().min(0);
const rate = z.number().positive();

/** Fields of {@link EtegrecConfig} with their checks, defaults and the help of their flags, by stage. */
export const etegrecFields = {
  ...grouped("Tokenizer and its pretraining", tokenizerFields),
  ...grouped("Recommender", { ...encoderDecoderFields, ...pairTrainingFields }),
  ...grouped("Joint training", {
    numTrainEpochs: count(2).default(20).describe("epochs in which tokenizer and recommender take turns"),
    cycle: count(2).default(2).describe(
      "epochs of a cycle: one of the tokenizer, the others of the recommender",
    ),
    warmEpochs: count(0).default(4).describe("first epochs without the alignment losses"),
    evalEpochs: count().default(2).describe("epochs between validations: a divisor or multiple of --cycle"),
    tokenizerLearningRate: rate.default(1e-4).describe("peak learning rate of the tokenizer"),
    siaWeight: weight.default(3e-4).describe("weight of sequence-item alignment, the paper's mu"),
    psaWeight: weight.default(1e-4).describe("weight of preference-semantic alignment, the paper's lambda"),
    siaSign: z.enum(SIA_SIGNS).default("near").describe(
      "codes that sequence-item alignment weighs most: near ones as the paper says, or far ones as its code does;",
    ),
    temperature: rate.default(0.07).describe("temperature of preference-semantic alignment"),
    uniqueness: z.enum(UNIQUENESS).default("extra-level").describe(
      "how items of equal codes get SIDs of their own: one more code, the nearest last code that is free, or forge, " +
        "which numbers all last codes anew;",
    ),
    suffixCodes: count(2).default(256).describe("extra-level: items that may share their codes"),
  }),
  ...grouped("Stages around it", {
    frozenEpochs: count(0).default(0).describe(
      "epochs of a recommender on the SIDs before joint training, to compare with; 0: none",
    ),
    finetuneEpochs: count(0).default(10).describe("epochs after joint training, on SIDs that stay; 0: none"),
    finetuneLearningRate: rate.default(5e-4).describe("peak learning rate of these"),
  }),
} satisfies { [K in keyof EtegrecConfig]: z.ZodType<EtegrecConfig[K]> };

/** {@link EtegrecConfig} with its defaults. */
export const EtegrecSchema = z.strictObject(etegrecFields);

/** Fields under a heading of their own in the help. */
function grouped<T extends Record<string, z.ZodType>>(group: string, fields: T): T {
  return Object.fromEntries(
    Object.entries(fields).map(([key, type]) => [key, type.meta({ ...type.meta(), group })]),
  ) as T;
}
