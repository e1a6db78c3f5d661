import type { Sample } from "../data/dataset.ts";
import type { KeptColumns, WorkState } from "../data/kept/work.ts";

/** What counting reads of a sample; `user` is any name of its user, or a number from 0. */
export type CountedSample = Pick<Sample, "history" | "target"> & { user: string | number };

/** What was bought after what: a sparse matrix (N, N) in compressed rows. */
export interface TransitionCounts {
  /** (N): see {@link PurchaseCounter}. */
  bought: Float64Array;
  /** (N + 1): the entries of item i are [offsets[i], offsets[i + 1]). */
  offsets: Uint32Array;
  /** (entries) items bought after, ascending within a row; files have them as single precision, which is exact. */
  targets: Uint32Array | Float32Array;
  /** (entries) how often, or a weighted sum. */
  weights: Float32Array;
}

/** Which transitions count. */
export interface TransitionOptions {
  /** The latest item of a history alone. Default: all of its items. */
  firstOrder?: boolean;
  /** What a transition from the target back to an item of the history counts, of one forth. Default: 0. */
  backwards?: number;
  /** Most entries of a row that are kept, the largest, of equal ones those of the lowest items. Default: all. */
  largest?: number;
}

/** Counts that are read off samples in one or several ways through them, always the same ones in the same order. */
export interface SampleCounter<T> {
  /** Whether it takes several ways, of which the first alone looks at users. */
  readonly goesAgain: boolean;
  /** One sample of a way. */
  add(sample: CountedSample): void;
  /** Ends a way through the samples; whether another one is needed. */
  endWay(): boolean;
  /** What was counted, once no way is left. */
  result(): T;
  /** What was counted until now, on the first way or between two, for {@link goOn} of another one. */
  state(): WorkState<unknown>;
  /** Goes on from a state that was kept, as if it had counted that. */
  goOn(values: unknown, kept: KeptColumns): Promise<void>;
}

/** Counts samples that are held. */
export function countHeld<T>(samples: Iterable<CountedSample>, counter: SampleCounter<T>): T {
  do {
    for (const sample of samples) counter.add(sample);
  } while (counter.endWay());
  return counter.result();
}

/**
 * Every purchase of the train period counts once: each target, and the history of a user's first row, since later windows
 * only repeat. Samples in time order. Result: counts (N).
 */
export class PurchaseCounter implements SampleCounter<Float64Array> {
  readonly goesAgain = false;
  #counts: Float64Array;
  #named = new Set<string>();
  /** A byte a number, since a set takes twenty, and no more than 2^24 of them. */
  #numbered: Uint8Array = new Uint8Array(1024);

  /** For a catalogue of so many items. */
  constructor(itemCount: number) {
    this.#counts = new Float64Array(itemCount);
  }

  add({ user, history, target }: CountedSample): void {
    this.#counts[target]++;
    if (!this.#isNew(user)) return;
    for (const item of history) this.#counts[item]++;
  }

  /** Whether a user comes for the first time. */
  #isNew(user: string | number): boolean {
    if (typeof user === "string") return this.#named.size < this.#named.add(user).size;
    if (user >= this.#numbered.length) {
      const before = this.#numbered;
      this.#numbered = new Uint8Array(2 * (user + 1));
      this.#numbered.set(before);
    }
    const isNew = this.#numbered[user] === 0;
    this.#numbered[user] = 1;
    return isNew;
  }

  endWay(): boolean {
    return false;
  }

  result(): Float64Array {
    return this.#counts;
  }

  state(): WorkState<PurchaseState> {
    return { values: { counts: this.#counts, named: this.#named, numbered: this.#numbered }, grown: {} };
  }

  goOn({ counts, named, numbered }: PurchaseState): Promise<void> {
    [this.#counts, this.#named, this.#numbered] = [counts, named, numbered];
    return Promise.resolve();
  }
}

/** What {@link PurchaseCounter} holds. */
interface PurchaseState {
  counts: Float64Array;
  named: Set<string>;
  numbered: Uint8Array;
}

/** Rows [first, end) with their pairs, in the order of the samples. */
interface FilledRows {
  first: number;
  end: number;
  /** (rows) where the next pair of each goes, from the first of the first row. */
  next: Float64Array;
  /** (pairs) items bought after: where the entries go that they are added up to. */
  targets: Uint32Array;
  /** (pairs) how far before the target; below 0: a transition back. */
  distances: Int16Array | Int32Array;
}

/** Pairs of history item and target that are held at a time, 6 bytes each, or 8 where histories pass 32,767 items. */
export const PAIRS_AT_A_TIME = 48e6;
/** Numbers of each item: pairs, offset, sum, purchases and where its next pair goes. */
const ITEM_BYTES = 40;
/** Ways in which all rows are filled, at most: with many pairs, more are held at a time, since reading takes the time. */
const MOST_WAYS = 8;

/**
 * Counts transitions. Each sample adds 1 / distance to the entry of a history item and its target, distance 1 for the
 * latest. The first way through the samples measures the rows; each further one fills as many rows as `pairsAtATime` pairs,
 * or an eighth of all, make, and adds them up. It holds those, the entries so far, 8 bytes each, and about 40 bytes an item; with `largest`, no
 * more than so many entries an item.
 */
export class TransitionCounter implements SampleCounter<TransitionCounts> {
  readonly goesAgain = true;
  readonly #options: Required<TransitionOptions>;
  #pairsAtATime: number;
  readonly #purchases: PurchaseCounter;
  /** (N) pairs of each row. */
  #lengths: Float64Array;
  #offsets: Uint32Array;
  /** Sums of a row (N), all 0 between two rows. */
  readonly #sums: Float64Array;
  #farthest = 0;
  // Room for as many entries as there may be: how many pairs are equal is known at the end alone, and what is never
  // written to takes no memory.
  #targets = new Uint32Array();
  #weights = new Float32Array();
  /** Rows that are filled, [first, end); none while rows are measured. */
  #filled: FilledRows | undefined;
  /** Rows that are added up; undefined while rows are measured. */
  #summed: number | undefined;

  constructor(
    itemCount: number,
    { firstOrder = false, backwards = 0, largest = Infinity }: TransitionOptions = {},
    pairsAtATime: number = PAIRS_AT_A_TIME,
  ) {
    this.#options = { firstOrder, backwards, largest };
    this.#pairsAtATime = pairsAtATime;
    this.#purchases = new PurchaseCounter(itemCount);
    this.#lengths = new Float64Array(itemCount);
    this.#offsets = new Uint32Array(itemCount + 1);
    this.#sums = new Float64Array(itemCount);
  }

  add(sample: CountedSample): void {
    const { history, target } = sample;
    if (this.#filled === undefined) {
      this.#purchases.add(sample);
      this.#farthest = Math.max(this.#farthest, history.length);
    }
    const oldest = this.#options.firstOrder ? Math.max(0, history.length - 1) : 0;
    for (let i = history.length - 1; i >= oldest; i--) {
      const distance = history.length - i;
      this.#pair(history[i], target, distance);
      if (this.#options.backwards > 0) this.#pair(target, history[i], -distance);
    }
  }

  /** `distance` below 0: a transition back. */
  #pair(from: number, to: number, distance: number): void {
    const filled = this.#filled;
    if (filled === undefined) this.#lengths[from]++;
    else if (from >= filled.first && from < filled.end) {
      const at = filled.next[from - filled.first]++;
      filled.targets[at] = to;
      filled.distances[at] = distance;
    }
  }

  endWay(): boolean {
    if (this.#filled) this.#sumRows(this.#filled);
    else this.#makeRoom();
    this.#summed = this.#filled?.end ?? 0;
    this.#filled = undefined; // before the next rows are allocated
    return this.#nextRows(this.#summed);
  }

  /** Whether there are rows with pairs from `first` on, which the next way fills. */
  #nextRows(first: number): boolean {
    let end = first, pairs = 0;
    while (
      end < this.#lengths.length && (end === first || pairs + this.#lengths[end] <= this.#pairsAtATime)
    ) {
      pairs += this.#lengths[end++];
    }
    if (end === first) return false;
    const next = new Float64Array(end - first);
    for (let row = 1; row < next.length; row++) next[row] = next[row - 1] + this.#lengths[first + row - 1];
    const done = this.#offsets[first];
    this.#filled = {
      first,
      end,
      next,
      targets: this.#targets.subarray(done, done + pairs),
      distances: this.#farthest < 2 ** 15 ? new Int16Array(pairs) : new Int32Array(pairs),
    };
    if (pairs > 0) return true;
    return this.endWay(); // rows without a pair are empty
  }

  #makeRoom(): void {
    const { largest } = this.#options;
    let pairs = 0, entries = 0, longest = 0;
    for (const length of this.#lengths) {
      pairs += length;
      entries += Math.min(length, largest);
      longest = Math.max(longest, length);
    }
    this.#pairsAtATime = Math.max(this.#pairsAtATime, Math.ceil(pairs / MOST_WAYS));
    // Rows are filled behind the entries of those before.
    this.#targets = new Uint32Array(Math.min(pairs, entries + Math.max(longest, this.#pairsAtATime)));
    this.#weights = new Float32Array(this.#targets.length);
  }

  /** Adds up rows whose pairs are all there; equal ones in the order of the samples. */
  #sumRows({ first, end, next, targets, distances }: FilledRows): void {
    const sums = this.#sums, { backwards, largest } = this.#options;
    const weights = this.#weights.subarray(this.#offsets[first]);
    let length = 0, start = 0;
    for (let row = first; row < end; row++) {
      const stop = next[row - first];
      for (let pair = start; pair < stop; pair++) {
        const distance = distances[pair];
        sums[targets[pair]] += distance > 0 ? 1 / distance : -backwards / distance;
      }
      const own = targets.subarray(start, stop).sort();
      const before = length;
      // What is written stands at or before what is still to be read.
      for (const target of own) {
        if (length > before && target === targets[length - 1]) continue;
        weights[length] = sums[target];
        sums[target] = 0;
        targets[length++] = target;
      }
      if (length - before > largest) {
        keepLargest(targets.subarray(before, length), weights.subarray(before, length), largest);
        length = before + largest;
      }
      this.#offsets[row + 1] = this.#offsets[row] + length - before;
      start = stop;
    }
  }

  result(): TransitionCounts {
    const entries = this.#offsets[this.#offsets.length - 1];
    return {
      bought: this.#purchases.result(),
      offsets: this.#offsets,
      targets: this.#targets.subarray(0, entries),
      weights: this.#weights.subarray(0, entries),
    };
  }

  state(): WorkState<TransitionState> {
    const summed = this.#summed, entries = this.#offsets[summed ?? 0];
    return {
      values: {
        purchases: this.#purchases.state().values,
        lengths: this.#lengths,
        farthest: this.#farthest,
        offsets: this.#offsets,
        summed,
      },
      grown: summed === undefined ? {} : {
        targets: this.#targets.subarray(0, entries),
        weights: this.#weights.subarray(0, entries),
      },
    };
  }

  async goOn(
    { purchases, lengths, farthest, offsets, summed }: TransitionState,
    kept: KeptColumns,
  ): Promise<void> {
    await this.#purchases.goOn(purchases);
    [this.#lengths, this.#farthest, this.#offsets, this.#summed] = [lengths, farthest, offsets, summed];
    if (summed === undefined) return;
    this.#makeRoom();
    await kept.column("targets", Uint32Array, (length) => this.#targets.subarray(0, length));
    await kept.column("weights", Float32Array, (length) => this.#weights.subarray(0, length));
    this.#nextRows(summed);
  }
}

/** What {@link TransitionCounter} holds beside the entries of the rows that are added up. */
interface TransitionState {
  purchases: PurchaseState;
  lengths: Float64Array;
  farthest: number;
  offsets: Uint32Array;
  /** Rows that are. */
  summed?: number;
}

/** What counting transitions will take. */
export interface CountingPlan {
  /** Ways through the samples. */
  ways: number;
  /** Held at the peak, where pairs are seldom equal. */
  bytes: number;
}

/** What {@link TransitionCounter} takes for so many items, train samples, and items of their histories. */
export function planCounting(
  { items, samples, historyItems }: { items: number; samples: number; historyItems: number },
  { firstOrder = false, backwards = 0, largest = Infinity }: TransitionOptions = {},
): CountingPlan {
  const pairs = (firstOrder ? samples : historyItems) * (backwards > 0 ? 2 : 1);
  const atATime = Math.min(pairs, Math.max(PAIRS_AT_A_TIME, Math.ceil(pairs / MOST_WAYS)));
  const entries = Math.min(pairs, items * largest);
  const targets = Math.min(pairs, entries + atATime);
  return {
    ways: 1 + Math.ceil(pairs / (atATime || 1)),
    bytes: 4 * targets + 4 * entries + 2 * atATime + ITEM_BYTES * items,
  };
}

/** Moves the `count` largest entries of a row to its beginning, in their order; of equal ones the first. */
function keepLargest(targets: Uint32Array, weights: Float32Array, count: number): void {
  const least = weights.slice().sort()[weights.length - count];
  let equal = count;
  for (const weight of weights) if (weight > least) equal--;
  let kept = 0;
  for (let entry = 0; entry < weights.length; entry++) {
    const weight = weights[entry];
    if (weight < least || weight === least && equal-- <= 0) continue;
    [targets[kept], weights[kept++]] = [targets[entry], weight];
  }
}
