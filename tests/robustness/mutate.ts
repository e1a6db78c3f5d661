import fc from "../property.ts";

/** What is done to the bytes of a file; places are shares of its length. */
export type Mutation =
  | { kind: "flip"; at: number; mask: number }
  | { kind: "cut"; at: number }
  | { kind: "insert"; at: number; bytes: Uint8Array }
  | { kind: "swap"; from: number; to: number; length: number }
  | { kind: "number"; at: number; text: string };

const PLACES = 2 ** 20;
// Of whole numbers, since fast-check takes most doubles from close to 0.
const place = fc.nat(PLACES - 1).map((at) => at / PLACES);

/** Numbers that readers trip over. */
const NUMBERS = [
  "-1",
  "1e999",
  "NaN",
  "9007199254740993",
  "99999999999999999999",
  "1e-400",
  "null",
  '"x"',
  "[[[[",
];

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: place, mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant("cut" as const), at: place }),
  fc.record({
    kind: fc.constant("insert" as const),
    at: place,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
  }),
  fc.record({
    kind: fc.constant("swap" as const),
    from: place,
    to: place,
    length: fc.integer({ min: 1, max: 12 }),
  }),
  fc.record({ kind: fc.constant("number" as const), at: place, text: fc.constantFrom(...NUMBERS) }),
);

/** One to three mutations. */
export const mutations: fc.Arbitrary<Mutation[]> = fc.array(mutation, { minLength: 1, maxLength: 3 });

/** The bytes after mutations. */
export function mutate(sound: Uint8Array, what: readonly Mutation[]): Uint8Array {
  return what.reduce((bytes, one) => mutateOnce(bytes, one), sound);
}

function mutateOnce(bytes: Uint8Array, one: Mutation): Uint8Array {
  const at = (share: number) => Math.floor(share * bytes.length);
  if (bytes.length === 0) return bytes;
  if (one.kind === "cut") return bytes.slice(0, at(one.at));
  if (one.kind === "insert") return spliced(bytes, at(one.at), 0, one.bytes);
  if (one.kind === "flip") {
    const copy = bytes.slice();
    copy[at(one.at)] ^= one.mask;
    return copy;
  }
  if (one.kind === "swap") {
    const copy = bytes.slice();
    copy.set(
      bytes.subarray(at(one.from), at(one.from) + one.length).subarray(0, bytes.length - at(one.to)),
      at(one.to),
    );
    return copy;
  }
  // The number at the place or after it gives way to another.
  const text = new TextDecoder("latin1").decode(bytes), found = /\d+/.exec(text.slice(at(one.at)));
  if (found === null) return bytes;
  return spliced(bytes, at(one.at) + found.index, found[0].length, new TextEncoder().encode(one.text));
}

function spliced(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - removed + added.length);
  result.set(bytes.subarray(0, at));
  result.set(added, at);
  result.set(bytes.subarray(at + removed), at + added.length);
  return result;
}
