import type { Attributes } from "../corpus.ts";
import type { CorpusParts } from "../corpus_parts.ts";
import { splits } from "../dataset.ts";
import { idsAreNumbers } from "../formats/id_map_file.ts";
import type { Survey, SurveyedCorpus } from "./survey.ts";

/** Whether a corpus has anything under a name, so that a format without it would lose something. */
const FIELDS = {
  "source and license": () => true,
  "SIDs": ({ sids }) => sids !== undefined,
  "titles": ({ items }) => items.some(({ title }) => title !== ""),
  "descriptions": ({ items }) => items.some(({ description }) => description),
  "brands": ({ items }) => items.some(({ brand }) => brand),
  "categories": ({ items }) => items.some(({ categories }) => categories.length > 0),
  "prices": ({ items }) => items.some(({ price }) => price !== undefined),
  "features": ({ items }) => items.some(({ features }) => features),
  "item ids": ({ items }) => !idsAreNumbers(items),
  "item attributes": ({ items }) => items.some(hasOwnAttributes),
  "user ids": ({ users }) => !users.every(({ id }, user) => id === String(user) || id === `A${user}`),
  "user attributes": ({ users }) => users.some(hasOwnAttributes),
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

/** Attributes under the name of a format say how its files looked, and mean nothing to another. */
const FORMAT_ATTRIBUTES = new Set(["raw", "minionerec", "mimigenrec"]);

function hasOwnAttributes({ attributes }: { attributes?: Attributes }): boolean {
  return attributes !== undefined && Object.keys(attributes).some(isOwn);
}

function isOwn(attribute: string): boolean {
  return !FORMAT_ATTRIBUTES.has(attribute);
}
