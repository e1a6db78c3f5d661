import type { Attributes, CorpusItem, CorpusUser } from "../corpus.ts";
import type { CorpusParts } from "../corpus_parts.ts";
import { keepsCategories } from "../formats/item_file.ts";

/** What ends a cell or a line in tables of tabs. */
const BREAKS = /[\t\r\n]/;

/** What an item may have, so that a format without it would lose something; under `broken`, in tables of tabs or lists of commas. */
const ITEM_TRAITS = {
  "titles": ({ title }) => title !== "",
  "descriptions": ({ description }) => Boolean(description),
  "brands": ({ brand }) => Boolean(brand),
  "categories": ({ categories }) => categories.length > 0,
  "prices": ({ price }) => price !== undefined,
  "features": ({ features }) => Boolean(features),
  "item ids": ({ id }, item) => id !== String(item),
  "item attributes": hasOwnAttributes,
  "attributes of any format": ({ attributes }) => attributes !== undefined,
  "broken titles": ({ title }) => BREAKS.test(title),
  "broken descriptions": ({ description = "" }) => BREAKS.test(description),
  "broken brands": ({ brand = "" }) => BREAKS.test(brand),
  "broken features": ({ features = "" }) => BREAKS.test(features),
  "broken item ids": ({ id }) => BREAKS.test(id),
  "broken categories": (item) => !keepsCategories(item),
} as const satisfies Record<string, (item: CorpusItem, number: number) => boolean>;

/** The same of a user. */
const USER_TRAITS = {
  "user ids": ({ id }, user) => id !== String(user) && id !== `A${user}`,
  "ids that are not the number": ({ id }, user) => id !== String(user),
  "ids unlike A1": ({ id }) => !/^A\d+$/.test(id),
  "user attributes": hasOwnAttributes,
  "any user attributes": ({ attributes }) => attributes !== undefined,
  "broken user ids": ({ id }) => BREAKS.test(id),
} as const satisfies Record<string, (user: CorpusUser, number: number) => boolean>;

/** How many items or users have something, by what it is. */
export type CatalogueSurvey = Record<keyof typeof ITEM_TRAITS | keyof typeof USER_TRAITS, number>;

/** Goes through items and users once. */
export async function surveyCatalogue({ items, users }: CorpusParts): Promise<CatalogueSurvey> {
  return { ...await countTraits(items(), ITEM_TRAITS), ...await countTraits(users(), USER_TRAITS) };
}

async function countTraits<T, K extends string>(
  parts: AsyncIterable<readonly T[]>,
  traits: Record<K, (row: T, number: number) => boolean>,
): Promise<Record<K, number>> {
  const found = Object.entries<(row: T, number: number) => boolean>(traits)
    .map(([name, has]) => ({ name, has, rows: 0 }));
  let number = 0;
  for await (const part of parts) {
    for (const row of part) {
      for (const trait of found) if (trait.has(row, number)) trait.rows++;
      number++;
    }
  }
  return Object.fromEntries(found.map(({ name, rows }) => [name, rows])) as Record<K, number>;
}

/** Attributes under the name of a format say how its files looked, and mean nothing to another. */
const FORMAT_ATTRIBUTES = new Set(["raw", "minionerec", "mimigenrec"]);

/** Whether an attribute means something beyond a format. */
export function isOwn(attribute: string): boolean {
  return !FORMAT_ATTRIBUTES.has(attribute);
}

function hasOwnAttributes({ attributes }: { attributes?: Attributes }): boolean {
  return attributes !== undefined && Object.keys(attributes).some(isOwn);
}
