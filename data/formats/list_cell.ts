const ESCAPES: Record<string, string> = { "\\": "\\", "'": "'", '"': '"', n: "\n", t: "\t", r: "\r" };
const HEX_DIGITS: Record<string, number> = { x: 2, u: 4, U: 8 };
const INTEGER = /-?(?:0|[1-9]\d*)/y;

/**
 * Parses a list as Python prints it, without evaluating anything: `[` (element (`,` space? element)*)? `]`, an
 * element being an integer or a quoted string with escapes `\\ \' \" \n \t \r \xHH \uHHHH \UHHHHHHHH`.
 * Throws `SyntaxError` saying what is wrong at which character (1-based).
 */
export function parseListCell(text: string): (number | string)[] {
  const values: (number | string)[] = [];
  let at = 0;
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at + 1}`);
  };

  function integer(): number {
    INTEGER.lastIndex = at;
    const match = INTEGER.exec(text);
    if (match === null) return fail("no integer or quoted string");
    const value = Number(match[0]);
    if (!Number.isSafeInteger(value)) fail("integer too large");
    at += match[0].length;
    return value;
  }

  function escape(): string {
    const kind = text[at + 1] ?? "";
    if (kind in ESCAPES) {
      at += 2;
      return ESCAPES[kind];
    }
    const digits = text.slice(at + 2, at + 2 + HEX_DIGITS[kind]);
    const code = parseInt(digits, 16);
    if (!(kind in HEX_DIGITS) || digits.length < HEX_DIGITS[kind] || !/^[\da-fA-F]+$/.test(digits)) {
      fail("unknown escape");
    }
    if (code > 0x10ffff) fail("escape beyond Unicode");
    at += 2 + HEX_DIGITS[kind];
    return String.fromCodePoint(code);
  }

  function quoted(quote: string): string {
    let value = "";
    at++;
    while (text[at] !== quote) {
      if (at >= text.length) fail(`no closing ${quote}`);
      if (text[at] === "\n" || text[at] === "\r") fail("line end inside a string");
      value += text[at] === "\\" ? escape() : text[at++];
    }
    at++;
    return value;
  }

  if (text[at] !== "[") fail("no opening [");
  at++;
  if (text[at] !== "]") {
    for (;;) {
      values.push(text[at] === "'" || text[at] === '"' ? quoted(text[at]) : integer());
      if (text[at] !== ",") break;
      at++;
      if (text[at] === " ") at++;
    }
    if (text[at] !== "]") fail("no comma or closing ]");
  }
  at++;
  if (at !== text.length) fail("text after the list");
  return values;
}

/** `parseListCell` for a list of integers alone. */
export function parseIntegerCell(text: string): number[] {
  const values = parseListCell(text);
  if (values.every((value) => typeof value === "number")) return values;
  throw new SyntaxError("string among integers");
}

/** `parseListCell` for a list of strings alone. */
export function parseStringCell(text: string): string[] {
  const values = parseListCell(text);
  if (values.every((value) => typeof value === "string")) return values;
  throw new SyntaxError("integer among strings");
}

const NAMED_ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r" };
/** What Python's `str.isprintable` refuses: controls, format characters, surrogates, and all space but one. */
const UNPRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}\p{Zs}]/gu;

/** Prints a list as Python does, the inverse of {@link parseListCell}. */
export function formatListCell(values: readonly (number | string)[]): string {
  return `[${values.map((value) => typeof value === "number" ? `${value}` : quoteText(value)).join(", ")}]`;
}

function quoteText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(UNPRINTABLE, (char) => {
    if (char === " ") return char;
    if (char in NAMED_ESCAPES) return NAMED_ESCAPES[char];
    const hex = char.codePointAt(0)!.toString(16);
    if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
