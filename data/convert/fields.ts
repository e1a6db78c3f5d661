import type { Attributes, Corpus } from "../corpus.ts";
import { splits } from "../dataset.ts";
import { idsAreNumbers } from "../formats/id_map_file.ts";
import { interactionsOf } from "../interactions.ts";

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
  "times": ({ interactions, samples }) =>
    interactions.times?.some((time) => !Number.isNaN(time)) === true ||
    splits.some((split) => samples[split].some(({ time }) => time !== undefined)),
  "ratings": ({ interactions }) => interactions.ratings?.some((rating) => !Number.isNaN(rating)) === true,
  "which split a sample is in": ({ split }) => split === "time",
  "the order of samples": ({ split }) => split === "time",
  "interactions that no sample shows": ({ interactions, samples }) =>
    interactions.users.length !== interactionsOf(samples).users.length,
  "sample attributes": ({ samples }) => splits.some((split) => samples[split].some(hasOwnAttributes)),
} as const satisfies Record<string, (corpus: Corpus) => boolean>;

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
export function notHeld(corpus: Corpus, holds: readonly Field[], format: string): string[] {
  if (holds === ALL_FIELDS) return [];
  const fields = ALL_FIELDS.filter((field) => !holds.includes(field) && FIELDS[field](corpus));
  const foreign = Object.keys(corpus.attachments).filter((path) => !path.startsWith(`${format}/`));
  return [...fields, ...foreign];
}

/** Attributes under the name of a format say how its files looked, and mean nothing to another. */
const FORMAT_ATTRIBUTES = new Set(["raw", "minionerec", "mimigenrec"]);

function hasOwnAttributes({ attributes }: { attributes?: Attributes }): boolean {
  return attributes !== undefined && Object.keys(attributes).some((key) => !FORMAT_ATTRIBUTES.has(key));
}
