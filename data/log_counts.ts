import type { Interactions } from "./corpus.ts";

/** What {@link LogCounts} hold, as a value that can be kept. */
export class LogTally {
  /** Interactions. */
  rows = 0;
  isUsed = new Uint8Array();
  from = Infinity;
  to = -Infinity;
  tied = 0;
  repeated = 0;
  /** Of the row before: user, time and the items that the user has in that second. */
  last = { user: -1, time: NaN, items: new Set<number>() };
}

/** What statistics say of a log, which is added in parts, in its order. */
export class LogCounts {
  readonly #tally: LogTally;

  /** Goes on from what was counted. */
  constructor(tally: LogTally = new LogTally()) {
    this.#tally = tally;
  }

  /** Interactions. */
  get rows(): number {
    return this.#tally.rows;
  }

  /** A part of the log, of a catalogue with so many items. */
  add({ users, items, times }: Interactions, itemCount: number): void {
    if (this.#tally.isUsed.length !== itemCount) this.#tally.isUsed = new Uint8Array(itemCount);
    this.#tally.rows += users.length;
    for (const item of items) this.#tally.isUsed[item] = 1;
    for (let row = 0; times !== undefined && row < users.length; row++) {
      this.#addTime(users[row], items[row], times[row]);
    }
  }

  #addTime(user: number, item: number, time: number): void {
    const tally = this.#tally, { last } = tally;
    if (time < tally.from) tally.from = time;
    if (time > tally.to) tally.to = time;
    const isTied = user === last.user && time === last.time;
    if (isTied) tally.tied++;
    else last.items.clear();
    if (isTied && last.items.has(item)) tally.repeated++;
    last.items.add(item);
    [last.user, last.time] = [user, time];
  }

  /** Different items. */
  get usedItems(): number {
    return this.#tally.isUsed.reduce((sum, isUsed) => sum + isUsed, 0);
  }

  /** First and last time, where one is known. */
  get period(): { period?: { from: string; to: string } } {
    if (this.#tally.from > this.#tally.to) return {};
    const text = (seconds: number) => new Date(seconds * 1000).toISOString();
    return { period: { from: text(this.#tally.from), to: text(this.#tally.to) } };
  }

  /** Interactions in the second of the one before, and those that repeat one. */
  get ties(): { sameSecond: number; repeatedInteractions: number } {
    return { sameSecond: this.#tally.tied / (this.rows || 1), repeatedInteractions: this.#tally.repeated };
  }
}
