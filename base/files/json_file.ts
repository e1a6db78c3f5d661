import type { z } from "zod";
import { badValue } from "../file_error.ts";
import { parseJson, repeatedKey } from "../json.ts";
import { readText } from "./text_file.ts";

/** Reads a JSON file and checks it against a schema. Throws `UserError` naming the file and the field. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(path), value = parseJson(text, path, schema);
  const repeated = repeatedKey(text);
  if (repeated === undefined) return value;
  throw badValue({ path }, "each key once", repeated, "It stands there twice: remove one");
}
