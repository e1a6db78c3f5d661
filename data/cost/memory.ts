import { splits } from "../dataset.ts";
import type { CorpusSizes } from "./sizes.ts";

const MIB = 2 ** 20;

/**
 * A process that goes through Parquet tables: the program, and what the heap grows to while row groups are decoded, the more
 * of them the nearer to a bound. Fitted to checks of 200,000 to 100 million interactions (docs/benchmarks/data.md).
 */
const READING = { program: 180 * MIB, bound: 850 * MIB, halfAt: 440e3 };

/** What {@link READING} is bound by more where row groups are written, too. */
const WRITING = 350 * MIB;

/** Bytes of an id in a set that tells whether it comes twice. */
const ID_BYTES = 100;
/** Bytes of an interaction and of a sample, by time, that a check holds: see `data/check/`. */
const CHECKED = { interaction: 17, timedSample: 8 };
/** Bytes of an item that counts of a dataset hold. */
const COUNTED_ITEM = 30;
/** Bytes that writers of formats other than ours hold of an id, of an interaction, and of a user beside the id. */
const LOOKED_UP = { id: 15, interaction: 5, user: 20 };

/** About what a process takes that goes through so many rows of Parquet tables and holds nothing of them. */
export function readingBytes(rows: number, { writes = 0 } = {}): number {
  const { program, bound, halfAt } = READING;
  return program + (bound + writes) * rows / (rows + halfAt);
}

/** Samples of all splits. */
function samplesOf({ samples }: CorpusSizes): number {
  return splits.reduce((sum, split) => sum + samples[split], 0);
}

/** About what `data --check` takes at its peak: ids first, then the log. */
export function checkBytes(sizes: CorpusSizes): number {
  const samples = samplesOf(sizes), { items, users, interactions, split } = sizes;
  const ids = ID_BYTES * (items + users);
  const log = CHECKED.interaction * interactions + (split === "time" ? CHECKED.timedSample * samples : 0);
  return readingBytes(samples) + COUNTED_ITEM * items + Math.max(ids, log);
}

/** About what `convert` takes at its peak: for our format what writing grows to, for others ids and the log, which are looked up. */
export function convertBytes(sizes: CorpusSizes, to: string): number {
  const { items, users, interactions } = sizes, samples = samplesOf(sizes);
  if (to === "genrec") return readingBytes(samples, { writes: WRITING }) + COUNTED_ITEM * items;
  const { id, interaction, user } = LOOKED_UP;
  return readingBytes(samples) + id * (items + users) + interaction * interactions + user * users;
}
