import { PhiloxStream } from "../../base/philox.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";
import { drawInOrder } from "./draw.ts";
import type { Corpus, CorpusSample } from "../corpus.ts";
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

/**
 * The same dataset with fewer samples, as MiniOneRec's and MIMIGenRec's preparations choose them: drawn without
 * replacement and kept in order. Catalogue, users and log stay as they are.
 * @throws {UserError} where rows of a split are kept as text, which could not be chosen from.
 */
export function chooseSamples(
  corpus: Corpus,
  { keepLongestOnly, most, shuffle, seed }: SampleChoice,
): Corpus {
  if (!keepLongestOnly && !shuffle && splits.every((split) => most[split] === 0)) return corpus;
  const { samples } = corpus;
  const chosen = Object.fromEntries(splits.map((split) => {
    const own = keepLongestOnly && split === "train" ? longestOnly(samples.train) : samples[split];
    const drawn = drawInOrder(own, most[split], new PhiloxStream(seed, `samples of ${split}`));
    return [split, drawn];
  })) as Record<Split, CorpusSample[]>;
  if (shuffle) {
    const order = shuffledOrder(chosen.train.length, seed, 0);
    chosen.train = Array.from(order, (place) => chosen.train[place]);
  }
  const kept = Object.keys(corpus.attachments).find((path) => path.startsWith("mimigenrec/other/"));
  if (kept !== undefined) {
    throw new UserError(
      `Cannot choose samples of ${corpus.name}: it has rows that are kept as text (${kept}). Choose from the dataset ` +
        "that its rows were made of",
    );
  }
  return { ...corpus, samples: chosen };
}

function longestOnly(samples: readonly CorpusSample[]): CorpusSample[] {
  const longest = new Map<number, CorpusSample>();
  for (const sample of samples) {
    const known = longest.get(sample.user);
    if (known === undefined || sample.history.length > known.history.length) longest.set(sample.user, sample);
  }
  const kept = new Set(longest.values());
  return samples.filter((sample) => kept.has(sample));
}
