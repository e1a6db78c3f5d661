import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { isGguf } from "../../models/gguf/path.ts";
import { checkpointOf, onlyCheckpoint } from "./checkpoints.ts";
import { modelDirectory } from "./model_directory.ts";
import { readKnownFolder } from "./open_run.ts";
import { sidRun } from "./sid_run.ts";

const EXPECTED = "Expected a run of `genrec sft --model`, or a Hugging Face directory";

/**
 * The folder with the weights and the tokenizer of a run or a model, or the GGUF file that is both. `use` is what they
 * are for, in words.
 * @throws {UserError} where it reads no text, or is no run and no model.
 */
export async function textModelFolder(run: string, checkpoint: string, use: string): Promise<string> {
  if (isGguf(run)) return onlyCheckpoint(run, checkpoint).folder;
  const { kind } = await readKnownFolder(run);
  if (kind !== sidRun && kind !== modelDirectory) {
    throw new UserError(`Cannot ${use} ${run}: it is a ${kind.name}, which reads no text. ${EXPECTED}`);
  }
  const { folder } = kind === modelDirectory
    ? onlyCheckpoint(run, checkpoint)
    : await checkpointOf(run, checkpoint);
  if (await isFile(`${folder}/tokenizer.json`)) return folder;
  throw new UserError(
    `Cannot ${use} ${run}: it has no tokenizer.json, so its model knows SIDs alone. ${EXPECTED}`,
  );
}
