import type { z } from "zod";
import { parseJson } from "../json.ts";
import { readText } from "./text_file.ts";

/** Reads a JSON file and checks it against a schema. Throws `UserError` naming the file and the field. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return parseJson(await readText(path), path, schema);
}
