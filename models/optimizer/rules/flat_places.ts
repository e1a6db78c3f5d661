/** Numbers that places begin at a multiple of, so that they can be bound: 256 bytes. */
const ALIGNED = 64;

/** Places in a flat that is made once all of them are known. */
export class FlatPlaces {
  /** Elements so far. */
  length = 0;

  /** Room for so many elements: first element, and how many. */
  add(count: number): [start: number, count: number] {
    const start = this.length;
    this.length += Math.ceil(count / ALIGNED) * ALIGNED;
    return [start, count];
  }
}
