import type { Interactions } from "./corpus.ts";

/** What statistics say of a log, which is added in parts, in its order. */
export class LogCounts {
  /** Interactions. */
  rows = 0;
  #isUsed = new Uint8Array();
  #from = Infinity;
  #to = -Infinity;
  #tied = 0;
  #repeated = 0;
  /** Of the row before: user, time and the items that the user has in that second. */
  #last = { user: -1, time: NaN, items: new Set<number>() };

  /** A part of the log, of a catalogue with so many items. */
  add({ users, items, times }: Interactions, itemCount: number): void {
    if (this.#isUsed.length !== itemCount) this.#isUsed = new Uint8Array(itemCount);
    this.rows += users.length;
    for (const item of items) this.#isUsed[item] = 1;
    for (let row = 0; times !== undefined && row < users.length; row++) {
      this.#addTime(users[row], items[row], times[row]);
    }
  }

  #addTime(user: number, item: number, time: number): void {
    if (time < this.#from) this.#from = time;
    if (time > this.#to) this.#to = time;
    const last = this.#last;
    const isTied = user === last.user && time === last.time;
    if (isTied) this.#tied++;
    else last.items.clear();
    if (isTied && last.items.has(item)) this.#repeated++;
    last.items.add(item);
    [last.user, last.time] = [user, time];
  }

  /** Different items. */
  get usedItems(): number {
    return this.#isUsed.reduce((sum, isUsed) => sum + isUsed, 0);
  }

  /** First and last time, where one is known. */
  get period(): { period?: { from: string; to: string } } {
    if (this.#from > this.#to) return {};
    const text = (seconds: number) => new Date(seconds * 1000).toISOString();
    return { period: { from: text(this.#from), to: text(this.#to) } };
  }

  /** Interactions in the second of the one before, and those that repeat one. */
  get ties(): { sameSecond: number; repeatedInteractions: number } {
    return { sameSecond: this.#tied / (this.rows || 1), repeatedInteractions: this.#repeated };
  }
}
