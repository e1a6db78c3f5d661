import type { z } from "zod";
import { badValue } from "./file_error.ts";
import { UserError } from "./user_error.ts";

/**
 * The value of a JSON text, checked against a schema; whole numbers that a double would change are texts. Throws
 * `UserError` naming the file and the field.
 */
export function parseJson<T>(text: string, path: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    // A look at every value costs more than the parse, and few files have such numbers.
    value = /(?:^|[^\d.])\d{16}/.test(text) ? parseWithDigits(text) : JSON.parse(text);
  } catch (error) {
    throw new UserError(
      `Cannot read ${path}: expected JSON, but ${(error as Error).message}. Re-export the file`,
    );
  }
  const result = checked(schema, value, path);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const found = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  const field = issue.path.map((key) => typeof key === "number" ? `[${key}]` : `["${String(key)}"]`).join("");
  const expected = issue.code === "unrecognized_keys"
    ? `no key ${issue.keys.join(", ")}`
    : issue.message.replace(/^(Invalid input|Too small|Too big): expected /, "").replace(/, received.*$/, "");
  throw badValue({ path: field === "" ? path : `${path} at ${field}` }, expected, found);
}

/** `safeParse`, which runs out of stack on values that are nested thousands of levels deep. */
function checked<T>(schema: z.ZodType<T>, value: unknown, path: string) {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw badValue({ path }, "less nesting", value);
  }
}

/** First key that a JSON object's own level holds twice: `JSON.parse` would keep the last one silently. */
export function repeatedKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[[\]{}]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token.endsWith(":")) {
      const key: string = JSON.parse(token.slice(0, -1));
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
}

/**
 * `JSON.parse` for texts with ids: a whole number that a double would change stays the text of its digits. Throws
 * `SyntaxError`.
 */
export function parseWithDigits(text: string): unknown {
  return JSON.parse(
    text,
    (_key, value, { source }: { source?: string } = {}) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "")
        ? source
        : value,
  );
}

/**
 * The values of an object keyed "0" … "N-1", in that order. Throws `UserError` naming the first key that is
 * missing or is no item number.
 */
export function numbered<T>(record: Record<string, T>, path: string): T[] {
  const keys = Object.keys(record);
  for (const key of keys) {
    if (!/^(0|[1-9]\d*)$/.test(key)) throw badValue({ path }, "item numbers as keys", key);
  }
  return keys.map((_, item) => {
    if (!Object.hasOwn(record, String(item))) {
      throw new UserError(
        `Cannot read ${path}: expected keys 0 to ${keys.length - 1} for its ${keys.length} items, ` +
          `found no key "${item}". Number the items without gaps`,
      );
    }
    return record[item];
  });
}

/** JSON with every character beyond ASCII escaped, as Python writes it. */
export function escapeNonAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * The text of `JSON.stringify(object, null, indent)`, an entry at a time. Entries come as the object would have them:
 * {@link inObjectOrder}, each key once.
 */
export function* objectPieces(
  entries: Iterable<readonly [key: string, value: unknown]>,
  indent: number,
): Generator<string> {
  const object = new ObjectText(indent);
  for (const [key, value] of entries) yield object.entry(key, value);
  yield object.end();
}

/** The text of `JSON.stringify(object, null, indent)`, for entries that come in parts. */
export class ObjectText {
  readonly #indent: number;
  #before = "{";

  constructor(indent: number) {
    this.#indent = indent;
  }

  /** The next one, with what comes before it. */
  entry(key: string, value: unknown): string {
    const lineEnd = "\n" + " ".repeat(this.#indent), before = this.#before;
    this.#before = ",";
    const text = JSON.stringify(value, null, this.#indent).replaceAll("\n", lineEnd);
    return `${before}${lineEnd}${JSON.stringify(key)}: ${text}`;
  }

  /** What comes after all of them. */
  end(): string {
    return this.#before === "{" ? "{}" : "\n}";
  }
}

/** The entries of an object keyed "0" … "N-1", which {@link numbered} reads. */
export function* numberedEntries<T>(values: Iterable<T>): Generator<[key: string, value: T]> {
  let number = 0;
  for (const value of values) yield [String(number++), value];
}

/** Places of keys in the order in which an object has them: whole numbers below 2³² - 1 first and ascending. */
export function inObjectOrder(keys: readonly string[]): Uint32Array {
  const isIndex = (key: string) => /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;
  const places = Uint32Array.from(keys, (_, place) => place);
  const numbers = Float64Array.from(keys, (key) => isIndex(key) ? Number(key) : Infinity);
  return places.sort((a, b) => numbers[a] === numbers[b] ? a - b : numbers[a] - numbers[b]);
}
