/** Larger values have squares, hence spreads, that are infinite in float32, in which gradients are computed. */
export const LARGEST_REWARD = Math.sqrt(3.4028234663852886e38);

/** What a reward returned is no list of this many finite numbers; the message continues "it returned" or the like. */
export class UnusableValues extends Error {
  override name = "UnusableValues";
  /** Index of the value that is meant. */
  readonly place?: number;

  constructor(message: string, place?: number) {
    super(message);
    this.place = place;
  }
}

/**
 * Values of a reward as numbers of its own: `returned` may be a list of any kind, in which true counts as 1 and false as
 * 0. Throws {@link UnusableValues} for anything else.
 */
export function readValues(returned: unknown, count: number, what = "values"): Float64Array {
  const list = readList(returned, count, what === "values" ? `${count} numbers` : `${count} ${what}`);
  if (list.length !== count) {
    throw new UnusableValues(`it returned ${list.length} ${what}, expected ${count}: ${shown(returned)}`);
  }
  return Float64Array.from(list, numberOf);
}

/** Any list. Throws {@link UnusableValues} saying that `expected` is. */
export function readList(returned: unknown, count: number, expected = `${count} lists`): ArrayLike<unknown> {
  if (Array.isArray(returned) || ArrayBuffer.isView(returned) && "length" in returned) {
    return returned as ArrayLike<unknown>;
  }
  throw new UnusableValues(`it returned ${shown(returned)}, expected ${expected}, in a list`);
}

function numberOf(value: unknown, place: number): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new UnusableValues(`is ${shown(value)}, expected a finite number${remedy(value)}`, place);
  }
  if (Math.abs(value) > LARGEST_REWARD) throw tooLarge(value, place);
  return value;
}

/** The error of a value or a sum that is beyond {@link LARGEST_REWARD}. */
export function tooLarge(value: number, place: number): UnusableValues {
  return new UnusableValues(
    `is ${value}, expected at most ${
      LARGEST_REWARD.toPrecision(2)
    } in size: the spread of larger ones is infinite in ` +
      "float32. Scale it, to about 1",
    place,
  );
}

function remedy(value: unknown): string {
  if (value === null || value === undefined) return ": 0 where there is nothing to say";
  if (typeof value === "string" || typeof value === "bigint") return ": Number(…) makes one of it";
  if (/^Promise\b/.test(shown(value))) return ": await Promise.all(…) of them";
  return "";
}

/** A value as code would write it, cut short; what a worker could not send is described already. */
export function shown(value: unknown): string {
  if (typeof value === "object" && value !== null && "unsent" in value) return String(value.unsent);
  return Deno.inspect(value, {
    depth: 1,
    compact: true,
    breakLength: Infinity,
    iterableLimit: 5,
    strAbbreviateSize: 60,
  });
}
