import type { Corpus } from "../../corpus.ts";
import { formatIndex } from "../index_file.ts";
import { sequencesOf } from "../../interactions.ts";
import { brokenCategories, formatItems } from "../item_file.ts";
import { MAX_HISTORY, MIN_ITEMS } from "./read.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import { idMaps } from "../../convert/id_maps.ts";
import { ITEM_FIELDS, notHeld } from "../../convert/fields.ts";
import type { DatasetWriter, NamedFile } from "../../convert/writer.ts";

/** LETTER's and LC-Rec's files: users' sequences, from which the split follows, index and items. */
export const letterWriter: DatasetWriter = {
  name: "letter",
  holds: [
    "SIDs",
    ...ITEM_FIELDS,
    "item ids",
    "user ids",
    "interactions that no sample shows",
  ],

  *files(corpus: Corpus): Generator<NamedFile> {
    const { items, users, interactions, sids } = corpus;
    const kept = sequencesOf(interactions, users.length)
      .map((list, user) => ({ ...users[user], list }))
      .filter(({ list }) => list.length >= MIN_ITEMS);
    // Keys that are numbers stay: others would need a map, which gives them numbers.
    const numbered = kept.every(({ id }) => /^(0|[1-9]\d*)$/.test(id));
    const keyed = kept.map(({ id, list }, number) => [numbered ? id : String(number), list]);
    yield ["inter.json", [JSON.stringify(Object.fromEntries(keyed), null, 4)]];
    if (sids !== undefined) yield ["index.json", [formatIndex(sids, "compact")]];
    if (sids === undefined || hasText(corpus)) yield ["item.json", [formatItems(items)]];
    yield* idMaps({ items, users: numbered ? [] : kept });
  },

  leftOut(corpus: Corpus): string[] {
    const { maxHistory, items, users, interactions, sids } = corpus;
    const short = sequencesOf(interactions, users.length).filter((list) => list.length < MIN_ITEMS).length;
    return [
      ...(maxHistory === MAX_HISTORY ? [] : [`the history length ${maxHistory}`]),
      ...(sids === undefined || hasText(corpus) ? brokenCategories(items) : []),
      ...brokenTexts(corpus, ["item ids"], "item2id"),
      ...brokenTexts(corpus, ["user ids"], "user2id"),
      ...(short === 0 ? [] : [`${short} users with fewer than ${MIN_ITEMS} interactions`]),
    ];
  },
};

function hasText(corpus: Corpus): boolean {
  const present = notHeld(corpus, [], "letter");
  return ITEM_FIELDS.some((field) => present.includes(field));
}
