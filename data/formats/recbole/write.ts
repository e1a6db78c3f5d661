import { formatAtomicLine } from "../recbole_table.ts";
import type { Attributes } from "../../corpus.ts";
import { type CorpusParts, rowsIn } from "../../corpus_parts.ts";
import { splits } from "../../dataset.ts";
import { findPurchase, purchasesByUser } from "../../interactions.ts";
import { formatListCell } from "../list_cell.ts";
import { MAX_ITEM_LIST_LENGTH } from "./read.ts";
import { NO_SPLIT } from "./log.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
import { checkFileName } from "../../../base/files/file_name.ts";
import type { SurveyedCorpus } from "../../convert/survey.ts";
import { TextColumn } from "../../convert/text_column.ts";
import type { DatasetWriter, NamedFile } from "../../convert/writer.ts";

/** Whose name the files have, for messages. */
export const NAME = "the dataset's name";

/** RecBole's atomic files, named after the dataset, as is the folder that RecBole looks for. */
export const recboleWriter: DatasetWriter = {
  name: "recbole",
  holds: [
    ...ITEM_FIELDS,
    "item ids",
    "user ids",
    "user attributes",
    "times",
    "ratings",
    "which split a sample is in",
    "interactions that no sample shows",
  ],

  async *files(corpus: SurveyedCorpus): AsyncGenerator<NamedFile> {
    const name = checkFileName(corpus.name, NAME);
    const { catalogue } = await corpus.survey();
    yield [`${name}.inter`, interLines(corpus, await idsOf(corpus))];
    if (catalogue.titles > 0 || catalogue["attributes of any format"] > 0) {
      yield [`${name}.item`, itemLines(corpus)];
    }
    if (catalogue["any user attributes"] > 0) yield [`${name}.user`, userLines(corpus)];
  },

  leftOut: async (corpus) => [
    ...corpus.maxHistory === MAX_ITEM_LIST_LENGTH ? [] : [`the history length ${corpus.maxHistory}`],
    ...await brokenTexts(corpus, ["titles", "descriptions", "brands", "features"], `${corpus.name}.item`),
    ...await brokenTexts(corpus, ["item ids", "user ids"], `${corpus.name}.inter`),
  ],
};

/** Raw ids by number. */
export type CatalogueIds = Record<"items" | "users", TextColumn>;

/** Goes through items and users. */
export async function idsOf({ items, users }: CorpusParts): Promise<CatalogueIds> {
  return {
    items: await TextColumn.of(items(), ({ id }) => id),
    users: await TextColumn.of(users(), ({ id }) => id),
  };
}

/**
 * A line an interaction: user, item, rating and timestamp where known (without times the place in the user's sequence as
 * `order`), and the split of the sample that predicts it; a user's first, which none predicts, counts as train.
 */
export async function* interLines(
  corpus: SurveyedCorpus,
  { items, users }: CatalogueIds,
): AsyncGenerator<string> {
  const { bought, times: timed, ratings: rated } = await corpus.survey();
  const { starts, labels } = await labelsOf(corpus, bought);
  yield formatAtomicLine([
    "user_id:token",
    "item_id:token",
    ...(rated ? ["rating:float"] : []),
    timed ? "timestamp:float" : "order:float",
    "split:token",
  ]);
  const known = (value = NaN) => Number.isNaN(value) ? undefined : value;
  let place = -1, previous = -1;
  for await (const { times, ratings, ...log } of corpus.interactions()) {
    for (const [row, user] of log.users.entries()) {
      place = user === previous ? place + 1 : 0;
      previous = user;
      const label = labels[starts[user] + place];
      yield formatAtomicLine([
        users.at(user),
        items.at(log.items[row]),
        ...(rated ? [known(ratings?.[row])] : []),
        timed ? known(times?.[row]) : place,
        label > 0 ? splits[label - 1] : place === 0 ? "train" : NO_SPLIT,
      ]);
    }
  }
}

/**
 * By user and place in the user's sequence: 1 and the place among {@link splits} of the one that predicts it, 0: none. A
 * sample predicts the first purchase that fits and that no earlier one has.
 */
async function labelsOf(
  { interactions, samples }: CorpusParts,
  bought: Uint32Array,
): Promise<{ starts: Float64Array; labels: Uint8Array }> {
  const { starts, items } = await purchasesByUser(interactions, bought);
  const labels = new Uint8Array(items.length);
  for (const [number, split] of splits.entries()) {
    for await (const sample of rowsIn(samples(split))) {
      const start = starts[sample.user];
      const own = items.subarray(start, starts[sample.user + 1]);
      const { place } = findPurchase(own, sample, (place) => labels[start + place] > 0);
      if (place !== undefined) labels[start + place] = number + 1;
    }
  }
  return { starts, labels };
}

async function* itemLines({ items, survey }: SurveyedCorpus): AsyncGenerator<string> {
  const isPlain = (await survey()).catalogue["attributes of any format"] === 0;
  const { others, own } = isPlain ? PLAIN : await attributeColumns(items());
  yield formatAtomicLine([
    "item_id:token",
    "title:token_seq",
    "brand:token",
    "categories:token_seq",
    "price:float",
    "description:token_seq",
    "features:token_seq",
    ...(own ? ["attributes:token"] : []),
    ...others,
  ]);
  for await (
    const { id, title, brand, categories, price, description, features, attributes } of rowsIn(items())
  ) {
    yield formatAtomicLine([
      id,
      title,
      brand,
      formatListCell(categories).slice(1, -1),
      price,
      description,
      features,
      ...(own ? [ownAttributes(attributes)] : []),
      ...otherCells(attributes, others),
    ]);
  }
}

async function* userLines({ users }: SurveyedCorpus): AsyncGenerator<string> {
  const { others, own } = await attributeColumns(users());
  yield formatAtomicLine(["user_id:token", ...(own ? ["attributes:token"] : []), ...others]);
  for await (const { id, attributes } of rowsIn(users())) {
    yield formatAtomicLine([
      id,
      ...(own ? [ownAttributes(attributes)] : []),
      ...otherCells(attributes, others),
    ]);
  }
}

/** Columns for attributes. */
interface AttributeColumns {
  /** `name:type` of those that an `.item` or `.user` file had beyond ours. */
  others: string[];
  /** Whether there is one for all others. */
  own: boolean;
}

/** Of rows without attributes. */
const PLAIN: AttributeColumns = { others: [], own: false };

async function attributeColumns(
  parts: AsyncIterable<readonly { attributes?: Attributes }[]>,
): Promise<AttributeColumns> {
  const others = new Set<string>();
  let own = false;
  for await (const { attributes } of rowsIn(parts)) {
    for (const field of Object.keys(attributes?.recbole ?? {})) others.add(field);
    own ||= ownAttributes(attributes) !== undefined;
  }
  return { others: [...others], own };
}

function otherCells(attributes: Attributes | undefined, header: readonly string[]): string[] {
  const cells = attributes?.recbole as Record<string, string> | undefined;
  return header.map((field) => cells?.[field] ?? "");
}

/** Attributes but those in columns of their own, as JSON; undefined where there are none. */
function ownAttributes(attributes: Attributes | undefined): string | undefined {
  const { recbole: _, raw: __, ...own } = attributes ?? {};
  return Object.keys(own).length > 0 ? JSON.stringify(own) : undefined;
}
