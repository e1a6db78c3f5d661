import type { CorpusParts } from "../corpus_parts.ts";
import { splits } from "../dataset.ts";
import { isOwn } from "./catalogue_survey.ts";
import type { Survey, SurveyedCorpus } from "./survey.ts";

/** Whether a corpus has anything under a name, so that a format without it would lose something. */
const FIELDS = {
  "source and license": () => true,
  "SIDs": ({ sids }) => sids !== undefined,
  "titles": (_, { catalogue }) => catalogue.titles > 0,
  "descriptions": (_, { catalogue }) => catalogue.descriptions > 0,
  "brands": (_, { catalogue }) => catalogue.brands > 0,
  "categories": (_, { catalogue }) => catalogue.categories > 0,
  "prices": (_, { catalogue }) => catalogue.prices > 0,
  "features": (_, { catalogue }) => catalogue.features > 0,
  "item ids": (_, { catalogue }) => catalogue["item ids"] > 0,
  "item attributes": (_, { catalogue }) => catalogue["item attributes"] > 0,
  "user ids": (_, { catalogue }) => catalogue["user ids"] > 0,
  "user attributes": (_, { catalogue }) => catalogue["user attributes"] > 0,
  "times": (_, { times, sampleTimes }) => times || sampleTimes,
  "ratings": (_, { ratings }) => ratings,
  "which split a sample is in": ({ split }) => split === "time",
  "the order of samples": ({ split }) => split === "time",
  "interactions that no sample shows": (_, { isShown }) => !isShown,
  "sample attributes": (_, { attributes }) => splits.some((split) => attributes[split].some(isOwn)),
} as const satisfies Record<string, (corpus: CorpusParts, survey: Survey) => boolean>;

/** Part of a corpus that a format may or may not hold. */
export type Field = keyof typeof FIELDS;

/** Every {@link Field}. */
export const ALL_FIELDS = Object.keys(FIELDS) as Field[];

/** What `item.json` and the like say of items. */
export const ITEM_FIELDS: readonly Field[] = [
  "titles",
  "descriptions",
  "brands",
  "categories",
  "prices",
  "features",
  "item attributes",
];

/** The parts that `corpus` has and a format that `holds` some does not, its files of other formats among them. */
export async function notHeld(
  corpus: SurveyedCorpus,
  holds: readonly Field[],
  format: string,
): Promise<string[]> {
  if (holds === ALL_FIELDS) return [];
  const survey = await corpus.survey();
  const fields = ALL_FIELDS.filter((field) => !holds.includes(field) && FIELDS[field](corpus, survey));
  const foreign = Object.keys(corpus.attachments).filter((path) => !path.startsWith(`${format}/`));
  return [...fields, ...foreign];
}
