import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import { ADAPTER_CONFIG, checkModelFolder } from "../../models/hugging_face/weight_files.ts";
import type { Recommender } from "../../eval/recommender.ts";
import * as registry from "./registry.ts";
import { readRunFolder, type RunFolder } from "./run_folder.ts";
import type { OpenRunOptions, RunKind } from "./run_kind.ts";
import type { SidRun } from "./sid_model.ts";

const kinds: readonly RunKind[] = Object.values(registry);
/** Names of a folder that a message shows. */
const SHOWN = 6;

/**
 * Opens what a task trained as a recommender: a run of `genrec sft`, `rl` or `baseline`, a stage of `etegrec` or its
 * folder, a checkpoint folder of one of them, or a Hugging Face directory. Reads the dataset and all but the weights.
 * @throws {UserError} for a folder of another kind, and for what is missing, damaged or does not fit.
 */
export async function openRun(path: string, options: OpenRunOptions = {}): Promise<Recommender> {
  const { folder, kind } = await readKnownFolder(path);
  return await kind.open(folder, options, openRun);
}

/**
 * The model of such a folder and how it is asked. Throws as {@link openRun}, and for recommenders without SIDs; `use` is
 * what is to be done with it, for that message.
 */
export async function openSidRun(
  path: string,
  options: OpenRunOptions = {},
  use = "go on from",
): Promise<SidRun> {
  const { folder, kind } = await readKnownFolder(path);
  if (kind.openSids) return await kind.openSids(folder, options);
  if (kind.summary === undefined) await kind.open(folder, options, openRun); // which tells why not
  throw new UserError(
    `Cannot ${use} ${path}: it is a ${kind.name} that writes no SIDs. Expected a model that does, such as a run of ` +
      "`genrec sft` or of `genrec baseline --model tiger`",
  );
}

/**
 * Looks into a folder that a task wrote, or a model's. Throws {@link UserError} for any other, and for an adapter of PEFT,
 * which is no model by itself.
 */
export async function readKnownFolder(path: string): Promise<{ folder: RunFolder; kind: RunKind }> {
  const folder = await readRunFolder(path);
  if (folder.names.includes(ADAPTER_CONFIG)) await checkModelFolder(folder.path, diskFiles);
  return { folder, kind: kindOf(folder) };
}

function kindOf(folder: RunFolder): RunKind {
  const kind = kinds.find((kind) => kind.matches(folder));
  if (kind) return kind;
  const { given, names, config } = folder;
  const found = names.includes("config.json")
    ? `its config.json has ${listed(Object.keys(config))}`
    : names.length > 0
    ? `it has no config.json, but ${listed(names)}`
    : "it is empty";
  throw new UserError(
    `Cannot open ${given} as a run: ${found}. Expected ${
      kinds.flatMap(({ summary }) => summary ?? []).join("; ")
    }`,
  );
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return "nothing in it";
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return names.slice(0, SHOWN).join(", ") + more;
}
