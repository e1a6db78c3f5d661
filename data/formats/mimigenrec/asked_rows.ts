import { z } from "zod";
import { isFile } from "../../../base/files/write_atomic.ts";
import { readJson } from "../../../base/files/json_file.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Split } from "../../dataset.ts";
import { readRlRows } from "./rl_rows.ts";
import { STAGES } from "./rows.ts";
import { readSftRows, type SftTextRow } from "./sft_rows.ts";

/**
 * The rows of a file of either kind: of `sft/`, with `input` and `output`, or of `rl/`, with the messages of `prompt`,
 * which have no instruction. `sids[i]` is the SID of item i, tokens joined. Throws `UserError` as the reader of each kind.
 */
export async function readTextRows(path: string, sids: readonly string[]): Promise<SftTextRow[]> {
  const [first] = await readJson(path, z.array(z.unknown()));
  return typeof first === "object" && first !== null && "prompt" in first
    ? await readRlRows(path, sids)
    : await readSftRows(path);
}

/** The file of a split's rows in a directory as MIMIGenRec lays it out, `sft/` first. Throws `UserError` where it has none. */
export async function rowsFile(dir: string, split: Split): Promise<string> {
  const paths = STAGES.map((stage) => `${dir}/${stage}/${split}.json`);
  for (const path of paths) if (await isFile(path)) return path;
  throw new UserError(
    `Cannot ask in the words of rows: expected ${
      paths.join(" or ")
    }, where MIMIGenRec has them, found neither. Name a ` +
      "file with --rows",
  );
}
