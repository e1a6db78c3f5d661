import { z } from "zod";
import { readIdList, rowsOfItems } from "../data/formats/id_list.ts";
import { readMatrix } from "../base/npy.ts";
import { UserError } from "../base/user_error.ts";
import type { FileProvider } from "./provider.ts";

const Config = z.strictObject({
  from: z.string().default("").describe(
    "file of shape (items, dim) that another program made; row r is item r, or the r-th id of FILE.ids.json",
  ),
});
/** Settings of {@link npyProvider}. */
export type NpyConfig = z.output<typeof Config>;

/** Vectors from a file, checked. An id list beside it says which item each row is; without one, row r is item r. */
export const npyProvider: FileProvider<NpyConfig> = {
  input: "file",
  name: "npy",
  Config,
  async load(files, ids, { from }) {
    if (from === "") {
      throw new UserError("Cannot use provider npy without a file. Name one with --from FILE.npy");
    }
    const { rows, dim, data } = readMatrix(await files.readFile(from), from);
    const listed = await readIdList(files, from);
    if (rows !== (listed ?? ids).length) {
      const hint = !listed && rows === ids.length + 1
        ? "One row more is often a row for padding: drop it"
        : "Use the embeddings and ids of one export";
      const expected = listed
        ? `as many as the ${listed.length} ids beside it`
        : `one for each of ${ids.length} items`;
      throw new UserError(`Cannot use ${from}: it has ${rows} rows, expected ${expected}. ${hint}`);
    }
    if (!listed) return { dim, data };
    const picked = new Float32Array(ids.length * dim);
    for (const [item, row] of rowsOfItems(listed, ids, from).entries()) {
      picked.set(data.subarray(row * dim, (row + 1) * dim), item * dim);
    }
    return { dim, data: picked };
  },
};
