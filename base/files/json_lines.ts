import type { z } from "zod";
import { parseJson } from "../json.ts";
import { isLfsPointer, LFS_BYTES, lfsPointer } from "./lfs_pointer.ts";
import { UserError } from "../user_error.ts";

/** One line of a JSON Lines file. */
export interface JsonLine<T> {
  /** Counted from 1. */
  line: number;
  value: T;
}

/**
 * The values of a JSON Lines file, checked against a schema, one line in memory at a time; blank lines are skipped.
 * Throws `UserError` naming the file, the line and the field.
 */
export async function* readJsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<JsonLine<T>> {
  let line = 0;
  for await (const text of textLines(path)) {
    line++;
    if (text.trim() !== "") yield { line, value: parseJson(text, `${path} line ${line}`, schema) };
  }
}

async function* textLines(path: string): AsyncGenerator<string> {
  try {
    const file = await Deno.open(path);
    let rest = "";
    for await (const text of file.readable.pipeThrough(new TextDecoderStream("utf-8", { fatal: true }))) {
      const lines = (rest + text).split("\n");
      if (rest === "" && isLfsPointer(new TextEncoder().encode(text.slice(0, LFS_BYTES)), true)) {
        throw lfsPointer(path);
      }
      rest = lines.pop()!;
      yield* lines;
    }
    if (rest !== "") yield rest;
  } catch (error) {
    if (error instanceof UserError) throw error;
    const problem = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof TypeError
      ? "expected UTF-8 text, found other bytes"
      : (error as Error).message;
    throw new UserError(`Cannot read ${path}: ${problem}. Check the path and the file`);
  }
}
