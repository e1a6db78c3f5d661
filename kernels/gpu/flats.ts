import { type Flat, freshId } from "./tensor.ts";

/** Flats that are found again with the ids they had, and so with their bind groups: slices, and those that were lent. */
export class Flats {
  /** By flat, then by start and length. */
  readonly #slices = new Map<number, Map<string, Flat>>();
  /** Those that were given back, by length. */
  readonly #free = new Map<number, Flat[]>();

  /** Part of `flat` from element `start`, which lies at byte `offset` of its buffer. */
  slice(flat: Flat, start: number, length: number, offset: number): Flat {
    const key = `${start}:${length}`;
    let slices = this.#slices.get(flat.id);
    if (!slices) this.#slices.set(flat.id, slices = new Map());
    let slice = slices.get(key);
    if (!slice) slices.set(key, slice = { ...flat, id: freshId(), length, offset });
    return slice;
  }

  /** One of `length` elements that was given back, if there is any. */
  take(length: number): Flat | undefined {
    return this.#free.get(length)?.pop();
  }

  /** Those that come first are taken first again. */
  giveBack(flats: readonly Flat[]): void {
    for (const flat of flats.toReversed()) {
      const free = this.#free.get(flat.length);
      if (free) free.push(flat);
      else this.#free.set(flat.length, [flat]);
    }
  }

  /** Forgets the slices of a flat that is destroyed. */
  forget(flat: Flat): void {
    this.#slices.delete(flat.id);
  }

  /** All that nobody has, which are no longer kept. */
  takeAll(): Flat[] {
    const all = [...this.#free.values()].flat();
    this.#free.clear();
    return all;
  }
}
