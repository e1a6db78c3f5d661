import { dom } from "./dom.ts";

/** The history that a page shows, kept over a reload as far as the browser lets it. */
export class KeptHistory {
  readonly #key: string;

  /** `name` tells models of one host apart. */
  constructor(name: string) {
    this.#key = `genrec history ${dom.location.pathname} ${name}`;
  }

  /** Item numbers below `count`; none where nothing is kept. */
  read(count: number): number[] {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(this.#key) ?? "[]");
      const isItem = (item: unknown) => Number.isInteger(item) && Number(item) >= 0 && Number(item) < count;
      return Array.isArray(kept) && kept.every(isItem) ? kept : [];
    } catch {
      return []; // private windows may have no storage
    }
  }

  /** Keeps it. */
  write(history: readonly number[]): void {
    try {
      localStorage.setItem(this.#key, JSON.stringify(history));
    } catch {
      // The page works without: a reload starts anew.
    }
  }
}
