import { formatAtomicLine } from "../recbole_table.ts";
import type { Attributes, CorpusItem, CorpusUser } from "../../corpus.ts";
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
    const { items, users } = corpus;
    const name = checkFileName(corpus.name, NAME);
    yield [`${name}.inter`, interLines(corpus)];
    if (items.some(({ title, attributes }) => title !== "" || attributes !== undefined)) {
      yield [`${name}.item`, itemLines(items)];
    }
    if (users.some(({ attributes }) => attributes !== undefined)) yield [`${name}.user`, userLines(users)];
  },

  leftOut: (corpus) =>
    Promise.resolve([
      ...corpus.maxHistory === MAX_ITEM_LIST_LENGTH ? [] : [`the history length ${corpus.maxHistory}`],
      ...brokenTexts(corpus, ["titles", "descriptions", "brands", "features"], `${corpus.name}.item`),
      ...brokenTexts(corpus, ["item ids", "user ids"], `${corpus.name}.inter`),
    ]),
};

/**
 * A line an interaction: user, item, rating and timestamp where known (without times the place in the user's sequence as
 * `order`), and the split of the sample that predicts it; a user's first, which none predicts, counts as train.
 */
export async function* interLines(corpus: SurveyedCorpus): AsyncGenerator<string> {
  const { items, users } = corpus;
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
        users[user].id,
        items[log.items[row]].id,
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

function* itemLines(items: readonly CorpusItem[]): Generator<string> {
  const others = otherHeader(items),
    own = items.some(({ attributes }) => ownAttributes(attributes) !== undefined);
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
  for (const { id, title, brand, categories, price, description, features, attributes } of items) {
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

function* userLines(users: readonly CorpusUser[]): Generator<string> {
  const others = otherHeader(users),
    own = users.some(({ attributes }) => ownAttributes(attributes) !== undefined);
  yield formatAtomicLine(["user_id:token", ...(own ? ["attributes:token"] : []), ...others]);
  for (const { id, attributes } of users) {
    yield formatAtomicLine([
      id,
      ...(own ? [ownAttributes(attributes)] : []),
      ...otherCells(attributes, others),
    ]);
  }
}

/** `name:type` of the columns that an `.item` or `.user` file had beyond ours. */
function otherHeader(rows: readonly { attributes?: Attributes }[]): string[] {
  return [...new Set(rows.flatMap(({ attributes }) => Object.keys(attributes?.recbole ?? {})))];
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
