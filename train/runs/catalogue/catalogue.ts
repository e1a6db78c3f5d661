import { z } from "zod";
import { UserError } from "../../../base/user_error.ts";
import type { Dataset } from "../../../data/dataset.ts";

/** File of a run directory with its {@link TrainedCatalogue}. */
export const CATALOGUE_FILE = "catalogue.json";

// A pattern of repeated groups runs out of stack on the hashes of millions of items.
const Hashes = z.string().refine((text) => text.length % 8 === 0 && !/[^0-9a-f]/.test(text), {
  error: "hashes of 8 hexadecimal digits",
});

/** A {@link TrainedCatalogue} in a file. */
export const CatalogueSchema: z.ZodType<TrainedCatalogue> = z.looseObject({
  items: z.int(),
  ids: Hashes.optional(),
  titles: Hashes,
  sids: Hashes.optional(),
});

/** What a run was trained on, item by item: hashes of 8 hexadecimal digits, one after the other in the order of items. */
export interface TrainedCatalogue {
  /** Number of items. */
  items: number;
  /** Of the ids, where all items have one. */
  ids?: string;
  /** Of the titles. */
  titles: string;
  /** Of the SIDs, where the run has one index from its first step to its last. */
  sids?: string;
}

/** What tells the items of a dataset apart, and the SIDs that a run gives them. */
export function catalogueOf({ items }: Pick<Dataset, "items">, sids?: readonly string[][]): TrainedCatalogue {
  return {
    items: items.length,
    ...items.every(({ id }) => id !== undefined) && { ids: hashes(items.map(({ id }) => id!)) },
    titles: hashes(items.map(({ title }) => title)),
    ...sids && { sids: hashes(sids.map((sid) => sid.join(" "))) },
  };
}

/** What a catalogue tells of its first `count` items. */
export function firstItems({ ids, titles }: TrainedCatalogue, count: number): TrainedCatalogue {
  const first = (hashes: string) => split(hashes).slice(0, count).join("");
  return { items: count, ...ids !== undefined && { ids: first(ids) }, titles: first(titles) };
}

/** What a manifest says of a catalogue: the number of items, and the SHA-256 of their ids, of their titles without ids. */
export async function catalogueDigest(
  { items }: Pick<Dataset, "items">,
): Promise<{ items: number; sha256: string }> {
  const hasIds = items.every(({ id }) => id !== undefined);
  const text = JSON.stringify(items.map(({ id, title }) => hasIds ? id : title));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return {
    items: items.length,
    sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}

/** What is compared with a catalogue, in messages. */
export interface Compared {
  /** Run, as given. */
  run: string;
  /** Where the dataset is from. */
  data: string;
  /** Where that of the training was from; "" where none tells. */
  trainedOn: string;
}

/**
 * For each item of a dataset its number in a run, where ids tell that they are the same items in another order;
 * undefined where they are in the same one, by their ids where both have some, else by their titles.
 * @throws {UserError} for other items, and another order of items without ids.
 */
export function itemOrder(
  catalogue: TrainedCatalogue,
  { items }: Pick<Dataset, "items">,
  compared: Compared,
): number[] | undefined {
  const own = catalogueOf({ items });
  const key = catalogue.ids && own.ids ? "ids" : "titles";
  if (catalogue[key] === own[key]) return undefined;
  const expected = split(catalogue[key]!), found = split(own[key]!);
  const order = key === "ids" ? orderOf(expected, found) : undefined;
  if (order) return order;
  const at = firstDifference(expected, found);
  const named = (item: number) =>
    `item ${item} ${JSON.stringify(items[item].title)}${
      items[item].id === undefined ? "" : ` (${items[item].id})`
    }`;
  const { run, data, trainedOn } = compared;
  throw new UserError(
    `Cannot use ${run} with ${data}: it was trained on ${expected.length} items, the dataset has ${found.length}; ` +
      `${difference()}. Use the dataset that it was trained on${
        trainedOn === "" ? "" : `, --data ${trainedOn}`
      }, or ` +
      "train another run on this one",
  );

  function difference(): string {
    if (at === expected.length) return `the first new one is ${named(at)}`;
    if (at === found.length) return `those from item ${at} on are missing`;
    const place = found.indexOf(expected[at]);
    const isReordered = found.length === expected.length &&
      found.toSorted().join() === expected.toSorted().join();
    return (isReordered ? "they are the same in another order and differ" : "they differ") +
      ` first at ${named(at)}, ` +
      (place < 0
        ? `and none of these is the run's item ${at}`
        : `and the run's item ${at} is ${named(place)} here`);
  }
}

/**
 * The same for SIDs that were made for items, not trained on: those of other ids are taken by their numbers, as long as
 * no id is the same, since formats have ids of their own.
 */
export function sidOrder(
  catalogue: TrainedCatalogue,
  dataset: Pick<Dataset, "items">,
  compared: Compared,
): number[] | undefined {
  const { ids } = catalogueOf(dataset);
  if (catalogue.ids === undefined || ids === undefined) return undefined;
  const known = new Set(split(catalogue.ids));
  return split(ids).some((hash) => known.has(hash)) ? itemOrder(catalogue, dataset, compared) : undefined;
}

/** Place of every value of `found` in `expected`, where these are the same values in another order. */
function orderOf(expected: readonly string[], found: readonly string[]): number[] | undefined {
  const places = new Map(expected.map((hash, item) => [hash, item]));
  // Of two ids with one hash nobody can tell which is which.
  const isClear = places.size === expected.length && new Set(found).size === expected.length;
  return isClear && found.length === expected.length && found.every((hash) => places.has(hash))
    ? found.map((hash) => places.get(hash)!)
    : undefined;
}

/** Whether SIDs, one an item, are those of a run, as far as it keeps them. */
export function areTrainedSids({ sids: trained }: TrainedCatalogue, sids: readonly string[][]): boolean {
  return trained === undefined || catalogueOf({ items: [] }, sids).sids === trained;
}

/**
 * Throws `UserError` unless SIDs, one an item, are those of a run; `index` is their file, `known` those that the run
 * keeps, for the message.
 */
export function checkTrainedSids(
  catalogue: TrainedCatalogue,
  sids: readonly string[][],
  { run, index, known = [] }: { run: string; index: string; known?: readonly string[][] },
): void {
  if (areTrainedSids(catalogue, sids)) return;
  const found = split(catalogueOf({ items: [] }, sids).sids!), expected = split(catalogue.sids!);
  const at = firstDifference(expected, found);
  const kept = known[at]?.join("");
  const trained = kept !== undefined && hash(known[at].join(" ")) === expected[at] ? kept : "another one";
  throw new UserError(
    `Cannot use ${run} with the SIDs of ${index}: it has ${found.length} SIDs, the run was trained with ` +
      `${expected.length}; they differ first at item ${at}, which has ${
        sids[at]?.join("") ?? "none"
      } there and ` +
      `${at < expected.length ? trained : "none"} in training. Use the index.json that it was trained with`,
  );
}

/** Texts that are hashed before their hashes are joined: those of millions would take 24 bytes each. */
const AT_A_TIME = 65_536;

function hashes(texts: readonly string[]): string {
  const joined: string[] = [];
  for (let first = 0; first < texts.length; first += AT_A_TIME) {
    joined.push(texts.slice(first, first + AT_A_TIME).map(hash).join(""));
  }
  return joined.join("");
}

/** 8 hexadecimal digits: FNV-1a of the UTF-16 units, mixed as MurmurHash3 does at its end. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return ((value ^ (value >>> 16)) >>> 0).toString(16).padStart(8, "0");
}

function split(all: string): string[] {
  return Array.from({ length: all.length / 8 }, (_, i) => all.slice(8 * i, 8 * i + 8));
}

/** First place where two lists differ; the length of the shorter one where it is the other's beginning. */
function firstDifference(a: readonly string[], b: readonly string[]): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}
