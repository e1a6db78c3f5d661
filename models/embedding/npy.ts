import { z } from "zod";
import { readMatrix } from "../../data/npy.ts";
import { UserError } from "../../data/user_error.ts";
import type { TextProvider } from "./provider.ts";

/** Settings of {@link npyProvider}. */
export interface NpyConfig {
  /** A `.npy` file of shape (items, dim). */
  from: string;
}

const fields = {
  from: z.string().default("").describe(
    "embeddings that another program made, a .npy file of shape (items, dim)",
  ),
} satisfies { [K in keyof NpyConfig]: z.ZodType<NpyConfig[K]> };

/** Vectors from a file, row r for item r: checked, not made. */
export const npyProvider: TextProvider<NpyConfig> = {
  input: "text",
  name: "npy",
  Config: z.strictObject(fields),
  async open(context, { from }) {
    if (from === "") {
      throw new UserError("Cannot use provider npy without a file. Name one with --from FILE.npy");
    }
    const { rows, dim, data } = readMatrix(await context.readFile(from), from);
    return {
      dim,
      wholeCorpus: true,
      embed(texts) {
        if (texts.length === rows) return Promise.resolve(data);
        const hint = rows === texts.length + 1
          ? "One row more is often a row for padding: drop it"
          : "Use the embeddings of this dataset's items";
        throw new UserError(
          `Cannot use ${from}: it has ${rows} rows, expected one for each of ${texts.length} items. ${hint}`,
        );
      },
      close() {},
    };
  },
};
