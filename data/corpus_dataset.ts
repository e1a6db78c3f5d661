import type { Corpus, CorpusItem, CorpusSample, CorpusUser } from "./corpus.ts";
import type { CorpusStream } from "./corpus_stream.ts";
import { type Dataset, type Item, type Sample, type Split, splits, type UserHistory } from "./dataset.ts";
import { chainHistories } from "./histories.ts";
import { sequencesOf } from "./interactions.ts";

/** What training and evaluation read of a corpus. */
export function toDataset(corpus: Corpus): Dataset {
  const samples: Record<Split, Sample[]> = { train: [], valid: [], test: [] };
  for (const split of splits) {
    samples[split] = corpus.samples[split].map((sample) => toSample(sample, corpus.users));
  }
  const histories = corpus.split === "time" ? chainHistories(samples.train) : trainSequences(corpus);
  return { ...factsOf(corpus), samples, histories };
}

/**
 * The same without any sample, for what goes through samples in parts, or through none; of items, of which there may be
 * millions, what tells them apart, with their `categories` where those are asked for.
 */
export async function withoutSamples(stream: CorpusStream, categories = false): Promise<Dataset> {
  const { name, source, license } = stream;
  const items: Item[] = [], lists = new Map<string, string[]>();
  for await (const part of stream.items()) {
    for (const one of part) {
      const { title, id, categories: own } = toItem(one, items.length);
      const item: Item = { title };
      if (id !== undefined) item.id = id;
      // Of millions of items, most have a list that others have.
      if (categories && own) item.categories = lists.getOrInsert(JSON.stringify(own), own);
      items.push(item);
    }
  }
  const { sids, files } = await stream.rest();
  const samples = { train: [], valid: [], test: [] };
  return { name, source, license, items, ...(sids && { sids }), files, samples, histories: [] };
}

function factsOf(
  { name, source, license, items, sids, files }: Omit<Corpus, "samples" | "interactions">,
): Omit<Dataset, "samples" | "histories"> {
  return { name, source, license, items: items.map(toItem), ...(sids && { sids }), files };
}

function toSample({ user, history, target, attributes }: CorpusSample, users: readonly CorpusUser[]): Sample {
  return {
    user: users[user].id,
    history,
    target,
    ...textAttribute("userToken", users[user].attributes?.user_token),
    ...textAttribute("contextToken", attributes?.e_token),
  };
}

/** What an item without a title is called. */
export function untitled(number: number): string {
  return `item ${number}`;
}

/** What training reads of an item. */
export function toItem(
  { id, title, description, brand, categories, price, features, attributes }: CorpusItem,
  number: number,
) {
  const item: Item = { title: title || untitled(number) };
  if (id !== String(number)) item.id = id;
  if (description) item.description = description;
  if (brand) item.brand = brand;
  if (categories.length > 0) item.categories = categories;
  if (features) item.features = features;
  if (price !== undefined) item.price = price;
  const { item_type: type, final_value: value } = attributes ?? {};
  if (type === "I" || type === "O") item.itemType = type;
  if (typeof value === "number" && value >= 0) item.finalValue = value;
  return item;
}

function textAttribute<K extends string>(name: K, value: unknown): { [_ in K]?: string } {
  return typeof value === "string" && value !== "" ? { [name]: value } as { [_ in K]: string } : {};
}

/** Users' sequences without the items held out, which come last. */
function trainSequences({ users, interactions, samples }: Corpus): UserHistory[] {
  const heldOut = new Int32Array(users.length);
  for (const { user } of [...samples.valid, ...samples.test]) heldOut[user]++;
  return sequencesOf(interactions, users.length)
    .map((items, user) => ({ user: users[user].id, items: items.slice(0, items.length - heldOut[user]) }))
    .filter(({ items }) => items.length > 0);
}
