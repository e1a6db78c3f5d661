const TOKEN = new RegExp(
  String.raw`\s*(?:` + [
    String.raw`(?<mark>[\[\](){},:])`,
    String.raw`u?(?<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`,
    String.raw`(?<number>-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)`,
    String.raw`(?<word>-?[A-Za-z]+)\b`,
  ].join("|") + String.raw`)\s*`,
  "sy",
);
/** Words of Python and of its JSON, which has NaN and Infinity: no values that a field could mean. */
const WORDS = new Map(Object.entries({
  ...{ True: "true", true: "true", False: "false", false: "false" },
  ...{ None: "null", null: "null", nan: "null", NaN: "null", NaT: "null" },
  ...{ inf: "null", "-inf": "null", Infinity: "null", "-Infinity": "null" },
}));
const MARKS: Record<string, string> = { "(": "[", ")": "]" };
/** A whole number keeps its digits: ids may have more than a double holds. */
const WHOLE = /^-?(?:0|[1-9]\d*)$/;
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/gs;
const ESCAPES: Record<string, string> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "0": "\0",
};

/**
 * JSON of a value as Python prints it (dicts, lists, tuples, texts, numbers, True, False, None): the form of the
 * Amazon 2014 metadata. What is no number, as Python's `json` writes it too, becomes null. Nothing is evaluated. JSON passes
 * as it is; null where the text is neither.
 */
export function literalToJson(text: string): string | null {
  if (isJson(text)) return text;
  const tokens: string[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length;) {
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) return null;
    const { mark, quoted, number, word } = groups;
    const token = mark
      ? MARKS[mark] ?? mark
      : quoted
      ? toJson(quoted)
      : number
      ? WHOLE.test(number) ? number : String(Number(number))
      : WORDS.get(word);
    if (token === undefined) return null;
    // Python allows a comma before the end of a list.
    if ((token === "]" || token === "}") && tokens.at(-1) === ",") tokens.pop();
    tokens.push(token);
  }
  const json = tokens.join("");
  return isJson(json) ? json : null;
}

const QUOTED_TEXT = String.raw`(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")`;
const NUMPY_LIST = new RegExp(String.raw`^\[\s*${QUOTED_TEXT}(?:\s+${QUOTED_TEXT})*\s*\]$`, "s");

/** JSON of a list as Python, NumPy (no commas) or JSON prints it; any other text as a JSON text. */
export function listToJson(text: string): string {
  const isNumpy = NUMPY_LIST.test(text.trim());
  const list = isNumpy
    ? text.replace(new RegExp(String.raw`(${QUOTED_TEXT})(?=\s+['"])`, "gs"), "$1,")
    : text;
  return literalToJson(list) ?? JSON.stringify(text);
}

function toJson(quoted: string): string {
  const text = quoted.slice(1, -1).replace(ESCAPE, (_, x, u, long, other) => {
    const hex = x ?? u ?? long;
    if (hex === undefined) {
      return ESCAPES[other] ?? (other === "\n" ? "" : /["'\\]/.test(other) ? other : `\\${other}`);
    }
    const code = parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
  });
  return JSON.stringify(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
