import { inObjectOrder, objectPieces } from "../../../base/json.ts";
import { indexPieces } from "../index_file.ts";
import { purchasesByUser } from "../../interactions.ts";
import { itemPieces } from "../item_file.ts";
import { MAX_HISTORY, MIN_ITEMS } from "./read.ts";
import { brokenCategories, brokenTexts } from "../../convert/changed_text.ts";
import { itemIdMap } from "../../convert/id_maps.ts";
import { ITEM_FIELDS, notHeld } from "../../convert/fields.ts";
import { TextColumn } from "../../convert/text_column.ts";
import { formatIdMap } from "../id_map_file.ts";
import type { SurveyedCorpus } from "../../convert/survey.ts";
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

  async *files(corpus: SurveyedCorpus): AsyncGenerator<NamedFile> {
    const { sids } = corpus;
    const { bought } = await corpus.survey();
    const users = await TextColumn.of(corpus.users(), ({ id }) => id);
    const kept = Uint32Array.from(bought.keys().filter((user) => bought[user] >= MIN_ITEMS));
    const ids = Array.from(kept, (user) => users.at(user));
    // Keys that are numbers, each of one user, stay: others would need a map, which gives them numbers.
    const numbered = ids.every((id) => /^(0|[1-9]\d*)$/.test(id)) && new Set(ids).size === ids.length;
    const { starts, items: log } = await purchasesByUser(corpus.interactions, bought);
    const entry = (place: number): [string, number[]] => {
      const user = kept[place];
      return [numbered ? ids[place] : String(place), [...log.subarray(starts[user], starts[user + 1])]];
    };
    const order = numbered ? inObjectOrder(ids) : kept.keys();
    yield ["inter.json", objectPieces(order[Symbol.iterator]().map(entry), 4)];
    if (sids !== undefined) yield ["index.json", indexPieces(sids, "compact")];
    if (sids === undefined || await hasText(corpus)) yield ["item.json", itemPieces(corpus.items())];
    if (!numbered) yield ["user2id", formatIdMap(ids)];
    yield* itemIdMap(corpus);
  },

  async leftOut(corpus: SurveyedCorpus): Promise<string[]> {
    const { maxHistory, sids } = corpus;
    const { bought } = await corpus.survey();
    const short = bought.reduce((sum, count) => sum + Number(count < MIN_ITEMS), 0);
    return [
      ...(maxHistory === MAX_HISTORY ? [] : [`the history length ${maxHistory}`]),
      ...(sids === undefined || await hasText(corpus) ? await brokenCategories(corpus) : []),
      ...await brokenTexts(corpus, ["item ids"], "item2id"),
      ...await brokenTexts(corpus, ["user ids"], "user2id"),
      ...(short === 0 ? [] : [`${short} users with fewer than ${MIN_ITEMS} interactions`]),
    ];
  },
};

async function hasText(corpus: SurveyedCorpus): Promise<boolean> {
  const present = await notHeld(corpus, [], "letter");
  return ITEM_FIELDS.some((field) => present.includes(field));
}
