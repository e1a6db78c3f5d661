import { z } from "zod";
import { badValue } from "../../../base/file_error.ts";
import { readJson } from "../../../base/files/json_file.ts";

/** One question and its answer, as texts. */
export interface SftTextRow {
  /** What the model is told to be; may be empty. */
  system: string;
  /** What to do; may be empty. */
  instruction: string;
  /** What to do it with. */
  input: string;
  /** The answer. */
  output: string;
  /** Item numbers that the question tells of, oldest first, where its reader knows them. */
  history?: readonly number[];
  /** What the file calls the row's task, where it does. */
  kind?: string;
}

const Row: z.ZodType<SftTextRow> = z.object({
  system: z.string().default(""),
  instruction: z.string().default(""),
  input: z.string(),
  output: z.string().min(1),
});

/**
 * The rows of a MIMIGenRec `sft/*.json`, taken as they are: an array of objects with `input` and `output`, and
 * `instruction` and `system` where there are any. Throws `UserError` naming file, row (from 0) and field.
 */
export async function readSftRows(path: string): Promise<SftTextRow[]> {
  const rows = await readJson(path, z.array(z.unknown()));
  return rows.map((row, number) => {
    const parsed = Row.safeParse(row);
    if (parsed.success) return parsed.data;
    const { path: [field], message } = parsed.error.issues[0];
    const found = (row as Record<PropertyKey, unknown> | null)?.[field];
    throw badValue(
      { path: `${path} row ${number}`, ...(field !== undefined && { column: String(field) }) },
      field === undefined ? "an object with input and output" : "text",
      field === undefined ? row : found ?? message,
    );
  });
}
