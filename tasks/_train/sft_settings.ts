import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import { architectureFields, type SftConfig, SftSchema } from "../../train/sft/config.ts";

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
const ARCHITECTURE = Object.keys(architectureFields) as (keyof typeof architectureFields)[];

const { shape } = SftSchema;

type Optional<K extends keyof typeof shape> = {
  [P in K]: z.ZodOptional<ReturnType<typeof shape[P]["unwrap"]>>;
};
type Flags = typeof shape & Optional<keyof typeof PRETRAINED | keyof typeof architectureFields>;

/** The settings as flags; those that depend on the model have no default of their own. */
export const SftFlags = z.strictObject(
  Object.fromEntries(
    Object.entries(shape).map(([key, field]) => {
      const pretrained = key in PRETRAINED
        ? `on pretrained weights ${PRETRAINED[key as keyof typeof PRETRAINED]}`
        : key in architectureFields
        ? "with --model the model's"
        : undefined;
      if (pretrained === undefined || !(field instanceof z.ZodDefault)) return [key, field];
      const description = `${field.description}; default ${field.def.defaultValue}, ${pretrained}`;
      return [key, field.unwrap().optional().meta({ ...field.meta(), description })];
    }),
  ) as Flags,
);

/**
 * Complete settings of flags. A resumed run's are complete already; one that goes on from a run of `sidsAlone` has the
 * defaults which that had.
 * @throws {UserError} for a size of the model beside a directory that decides it.
 */
export function sftSettings(
  flags: z.output<typeof SftFlags>,
  { resume, sidsAlone = false }: { resume: boolean; sidsAlone?: boolean },
): SftConfig {
  const given = ARCHITECTURE.filter((key) => flags[key] !== undefined);
  if (flags.model !== "" && !resume && given.length > 0) {
    throw new UserError(
      `Cannot set ${
        given.join(", ")
      } of ${flags.model}: its config.json decides that. Leave it out, or train a model ` +
        "of your own shape with --tokenizer in place of --model",
    );
  }
  const defaults = flags.model !== "" && !flags.fromScratch && !sidsAlone ? PRETRAINED : {};
  const own = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  return SftSchema.parse({ ...defaults, ...own });
}
