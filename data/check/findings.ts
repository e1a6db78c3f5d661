/** Collects faults of the same kind into one line, so that a broken file does not bury the others. */
export class Findings {
  /** Faults by what they are. */
  readonly kinds: Map<string, { count: number; first: string }>;

  /** Goes on from the {@link kinds} that were found. */
  constructor(kinds: Findings["kinds"] = new Map()) {
    this.kinds = kinds;
  }

  /** Notes a fault; `what` reads as a sentence without a place, `where` says which row, the first of `count`. */
  add(what: string, where: string, count = 1): void {
    const kind = this.kinds.get(what);
    if (kind === undefined) this.kinds.set(what, { count, first: where });
    else kind.count += count;
  }

  /** One line a kind, in order of first appearance. */
  get lines(): string[] {
    return [...this.kinds].map(([what, { count, first }]) =>
      count === 1 ? `${what}: ${first}` : `${what}: ${count} times, first ${first}`
    );
  }
}
