import { literalToJson } from "./python_literal.ts";

/** Most characters of an object. */
export const LONGEST_OBJECT = 16_000_000;

/** One JSON object as text on one line, or the line that is none. */
export interface JsonRow {
  /** Its first line, from 1. */
  line: number;
  /** The object, its digits as they were; "" where there is a fault. */
  json: string;
  /** What is wrong. */
  fault?: string;
}

/**
 * Finds JSON objects in lines of text: one a line, one over several lines, or as elements of a list; Python's print of a
 * dict counts as one.
 */
export class JsonReader {
  readonly #onRow: (row: JsonRow) => void;
  #line = 0;
  /** Whether objects may stretch over lines; undefined before the first line with text. */
  #stretches?: boolean;
  /** Text of the value that is open, and how deep it is. */
  #held: string[] = [];
  #size = 0;
  #firstLine = 0;
  #depth = 0;
  /** Whether the values are elements of a list. */
  #inList = false;

  constructor(onRow: (row: JsonRow) => void) {
    this.#onRow = onRow;
  }

  /** Takes the next line of the file; `fault` is what is wrong with its bytes. */
  push(text: string, fault?: string): void {
    this.#line++;
    if (fault !== undefined) return this.#onRow({ line: this.#line, json: "", fault });
    if (text.trim() === "") return;
    this.#stretches ??= goesOn(text);
    if (this.#stretches) this.#scan(text);
    else this.#give(text, this.#line);
  }

  /** Takes the end of the file. */
  end(): void {
    if (this.#held.length === 0) return;
    this.#onRow({
      line: this.#firstLine,
      json: "",
      fault: "an object that is not closed to the end of the file",
    });
  }

  #give(text: string, line: number): void {
    const { json, fault } = objectIn(text);
    this.#onRow(fault === undefined ? { line, json } : { line, json: "", fault });
  }

  /** Cuts text into the values of the outermost level. */
  #scan(text: string): void {
    let from = 0, inText = "";
    const hold = (part: string) => {
      if (this.#held.length === 0) this.#firstLine = this.#line;
      this.#held.push(part);
      this.#size += part.length;
    };
    for (let at = 0; at < text.length; at++) {
      const char = text[at];
      if (inText !== "") {
        if (char === "\\") at++;
        else if (char === inText) inText = "";
      } else if (char === '"' || char === "'") inText = char;
      else if (char === "{" || char === "[") {
        if (this.#depth === 0 && char === "[") this.#inList = true;
        else if (this.#depth++ === 0) from = at;
      } else if (char === "}" || char === "]") {
        if (this.#depth === 0) this.#inList = false;
        else if (--this.#depth === 0) {
          hold(text.slice(from, at + 1));
          const value = this.#held.join(" ");
          this.#forget();
          this.#give(value, this.#firstLine);
          from = at + 1;
        }
      } else if (this.#depth === 0 && !/[\s,]/.test(char)) {
        const end = text.slice(at).search(/[\s,{[\]]/);
        const word = end < 0 ? text.slice(at) : text.slice(at, at + end);
        this.#onRow({ line: this.#line, json: "", fault: `no JSON object (${word.slice(0, 20)})` });
        at += word.length - 1;
      }
    }
    if (this.#depth > 0) hold(text.slice(from));
    if (inText !== "" && this.#depth > 0) this.#dropped("a text that is not closed in its line");
    else if (this.#size > LONGEST_OBJECT) this.#dropped(tooLong());
  }

  #dropped(fault: string): void {
    const line = this.#firstLine;
    this.#forget();
    this.#depth = 0;
    this.#onRow({ line, json: "", fault });
  }

  #forget(): void {
    this.#held = [];
    this.#size = 0;
  }
}

/** Whether the first line with text shows that objects are not one a line. */
function goesOn(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) return true;
  if (!trimmed.startsWith("{") || objectIn(trimmed).fault === undefined) return false;
  // A torn line ends inside a text or after a value; an object over lines after a bracket or a comma.
  return /[{[,]$/.test(trimmed);
}

/** The object in a text, on one line. */
function objectIn(text: string): { json: string; fault?: string } {
  const fail = (fault: string) => ({ json: "", fault });
  if (text.length > LONGEST_OBJECT) return fail(tooLong());
  let value: unknown, json = text.trim();
  try {
    value = JSON.parse(json);
  } catch (error) {
    const literal = json.startsWith("{") ? literalToJson(json) : null;
    if (literal === null && /^\{\s*u?'/.test(json)) return fail("no Python dict");
    if (literal === null) return fail(`no JSON (${(error as Error).message.replace(/ \(line 1 .*/, "")})`);
    json = literal;
    value = JSON.parse(json);
  }
  if (Array.isArray(value)) return fail("a JSON list, expected one object a line");
  if (typeof value !== "object" || value === null) return fail("no JSON object");
  const broken = /\\u[dD][89a-fA-F]/.test(json) ? brokenField(value as Record<string, unknown>) : undefined;
  return broken === undefined ? { json } : fail(`half a surrogate pair in ${broken}`);
}

/** The first field that holds half of a character beyond the basic plane: no UTF-8 can write it. */
function brokenField(object: Record<string, unknown>): string | undefined {
  const isBroken = (value: unknown): boolean =>
    typeof value === "string"
      ? !value.isWellFormed()
      : typeof value === "object" && value !== null && Object.entries(value).flat().some(isBroken);
  return Object.keys(object).find((key) => !key.isWellFormed() || isBroken(object[key]));
}

function tooLong(): string {
  return `an object of more than ${LONGEST_OBJECT.toLocaleString("en")} characters`;
}
