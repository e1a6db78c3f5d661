import { PhiloxStream } from "../../base/philox.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";
import { drawRows } from "./draw.ts";
import type { CorpusSample } from "../corpus.ts";
import { type CorpusParts, countRows, keptRows } from "../corpus_parts.ts";
import { joinLists, once } from "../corpus_stream.ts";
import { type Split, splits } from "../dataset.ts";

/** Which samples of a dataset to keep. */
export interface SampleChoice {
  /** Of each user's train samples only the one with the longest history, the first of several. */
  keepLongestOnly: boolean;
  /** Most samples of each split, of more so many are drawn; 0: all. */
  most: Readonly<Record<Split, number>>;
  /** Whether train samples are put in an order drawn by the seed. */
  shuffle: boolean;
  /** Of draws and shuffle. */
  seed: number;
}

/** Samples of a split, as often as wanted. */
type Samples = () => AsyncIterable<readonly CorpusSample[]>;

/**
 * The same dataset with fewer samples, as MiniOneRec's and MIMIGenRec's preparations choose them: drawn without
 * replacement and kept in order. Catalogue, users and log stay as they are. It holds a byte a sample; train samples are
 * held to be shuffled.
 * @throws {UserError} where rows of a split are kept as text, which could not be chosen from.
 */
export async function chooseSamples(
  corpus: CorpusParts,
  { keepLongestOnly, most, shuffle, seed }: SampleChoice,
): Promise<CorpusParts> {
  if (!keepLongestOnly && !shuffle && splits.every((split) => most[split] === 0)) return corpus;
  const kept = Object.keys(corpus.attachments).find((path) => path.startsWith("mimigenrec/other/"));
  if (kept !== undefined) {
    throw new UserError(
      `Cannot choose samples of ${corpus.name}: it has rows that are kept as text (${kept}). Choose from the dataset ` +
        "that its rows were made of",
    );
  }
  const chosen = {} as Record<Split, Samples>;
  for (const split of splits) {
    const all: Samples = () => corpus.samples(split);
    const own = keepLongestOnly && split === "train" ? await longestOnly(all, corpus.sizes.users) : all;
    chosen[split] = most[split] === 0 ? own : await drawn(own, most[split], split, seed);
  }
  if (shuffle) {
    const samples = await joinLists(chosen.train());
    const order = shuffledOrder(samples.length, seed, 0);
    const shuffled = Array.from(order, (place) => samples[place]);
    chosen.train = () => once(shuffled);
  }
  return { ...corpus, samples: (split) => chosen[split]() };
}

async function drawn(samples: Samples, most: number, split: Split, seed: number): Promise<Samples> {
  const isDrawn = drawRows(
    await countRows(samples()),
    most,
    new PhiloxStream(seed, `samples of ${split}`),
  );
  return () => keptRows(samples(), isDrawn);
}

async function longestOnly(samples: Samples, users: number): Promise<Samples> {
  const lengths = new Int32Array(users).fill(-1);
  const rows = new Float64Array(users);
  let row = 0;
  for await (const part of samples()) {
    for (const { user, history } of part) {
      if (history.length > lengths[user]) [lengths[user], rows[user]] = [history.length, row];
      row++;
    }
  }
  const isLongest = new Uint8Array(row);
  for (const [user, longest] of rows.entries()) if (lengths[user] >= 0) isLongest[longest] = 1;
  return () => keptRows(samples(), isLongest);
}
