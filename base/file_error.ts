import { UserError } from "./user_error.ts";

/** A spot in a text file, for messages; `line` is 1-based. */
export interface Place {
  path: string;
  line?: number;
  column?: string;
}

const EXCERPT = 60;

/** A value as it goes into a message: JSON, cut to 60 characters. */
export function excerpt(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    return "a value without end, or nested too deeply";
  }
  return text.length <= EXCERPT ? text : text.slice(0, EXCERPT) + "…";
}

/** The error for a value in a file that is not what it should be. */
export function badValue(place: Place, expected: string, found: unknown, fix = "Fix or re-export the file") {
  const line = place.line === undefined ? "" : ` line ${place.line}`;
  const column = place.column === undefined ? "" : `, column ${place.column}`;
  return new UserError(
    `Cannot read ${place.path}${line}${column}: expected ${expected}, found ${excerpt(found)}. ${fix}`,
  );
}
