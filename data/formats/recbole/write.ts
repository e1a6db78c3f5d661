import { formatAtomicLine } from "../recbole_table.ts";
import type { Attributes, Corpus } from "../../corpus.ts";
import { splits } from "../../dataset.ts";
import { purchasesOf, sequencesOf } from "../../interactions.ts";
import { formatListCell } from "../list_cell.ts";
import { MAX_ITEM_LIST_LENGTH } from "./read.ts";
import { NO_SPLIT } from "./log.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
import { checkFileName } from "../../../base/files/file_name.ts";
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

  *files(corpus: Corpus): Generator<NamedFile> {
    const { items, users } = corpus;
    const name = checkFileName(corpus.name, NAME);
    yield [`${name}.inter`, interLines(corpus)];
    if (items.some(({ title, attributes }) => title !== "" || attributes !== undefined)) {
      yield [`${name}.item`, itemLines(items)];
    }
    if (users.some(({ attributes }) => attributes !== undefined)) yield [`${name}.user`, userLines(users)];
  },

  leftOut: (corpus) => [
    ...corpus.maxHistory === MAX_ITEM_LIST_LENGTH ? [] : [`the history length ${corpus.maxHistory}`],
    ...brokenTexts(corpus, ["titles", "descriptions", "brands", "features"], `${corpus.name}.item`),
    ...brokenTexts(corpus, ["item ids", "user ids"], `${corpus.name}.inter`),
  ],
};

/**
 * A line an interaction: user, item, rating and timestamp where known (without times the place in the user's sequence as
 * `order`), and the split of the sample that predicts it; a user's first, which none predicts, counts as train.
 */
export function* interLines({ items, users, interactions, samples }: Corpus): Generator<string> {
  const { times, ratings } = interactions;
  const sequences = sequencesOf(interactions, users.length), purchases = purchasesOf(sequences, samples);
  const labels: string[][] = sequences.map(() => []);
  for (const split of splits) {
    for (const [row, { place }] of purchases[split].entries()) {
      if (place !== undefined) labels[samples[split][row].user][place] = split;
    }
  }
  yield formatAtomicLine([
    "user_id:token",
    "item_id:token",
    ...(ratings ? ["rating:float"] : []),
    times ? "timestamp:float" : "order:float",
    "split:token",
  ]);
  const known = (value: number) => Number.isNaN(value) ? undefined : value;
  let place = -1, previous = -1;
  for (const [row, user] of interactions.users.entries()) {
    place = user === previous ? place + 1 : 0;
    previous = user;
    yield formatAtomicLine([
      users[user].id,
      items[interactions.items[row]].id,
      ...(ratings ? [known(ratings[row])] : []),
      times ? known(times[row]) : place,
      labels[user][place] ?? (place === 0 ? "train" : NO_SPLIT),
    ]);
  }
}

function* itemLines(items: Corpus["items"]): Generator<string> {
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

function* userLines(users: Corpus["users"]): Generator<string> {
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
