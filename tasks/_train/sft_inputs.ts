import type { Dataset } from "../../data/dataset.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import type { TaskReport } from "../../prompts/rows/source.ts";
import { SidVocabulary } from "../../sid/tokens.ts";
import type { SftConfig } from "../../train/sft/config.ts";
import { type ModelInputs, sidInputs } from "../../train/sft/sid_inputs.ts";
import { type TextInputs, textInputs } from "../../train/sft/text_inputs.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { withGguf } from "../../models/gguf/files.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { checkSameSids, type RunWeights, runWeights } from "./run_weights.ts";
import { tableLines } from "../_cli/table.ts";
import type { Progress } from "../_cli/progress.ts";

/** What a run learns, is asked and computes with, and the files that a run directory keeps of it. */
export type SftInputs =
  & ModelInputs
  & Partial<
    Pick<TextInputs, "pretrained" | "kept" | "firstNewRow" | "frozenRows" | "tokenizer" | "companions">
  >
  & { files: Record<string, string | Uint8Array> };

/**
 * Inputs of a run as its settings say: SIDs alone, or a language model in the words of a template.
 * @throws {UserError} for settings that contradict each other, and for what the readers find.
 */
export async function sftInputs(
  dataset: Dataset,
  sids: string[][],
  data: string,
  settings: SftConfig,
  io: TaskIO,
): Promise<SftInputs> {
  const { mode, model, tokenizer } = settings;
  const from = model === "" ? undefined : await runWeights(model);
  const isText = mode === "tasks" ||
    mode === "auto" && (model !== "" && !from?.sidsAlone || tokenizer !== "");
  if (!isText) return await sidsAloneInputs(dataset, sids, settings, from);
  if (model === "" && tokenizer === "") {
    throw new UserError(
      "Cannot train on text without a tokenizer: --mode tasks needs --model with a Hugging Face directory, or " +
        "--tokenizer with a tokenizer.json for a model from scratch",
    );
  }
  let progress: Progress | undefined;
  const inputs = await textInputs(
    dataset,
    sids,
    { ...settings, data },
    withGguf(diskFiles),
    (done, total) => {
      progress ??= io.progress(total, "rows");
      progress.update(done);
    },
  ).finally(() => progress?.stop());
  inputs.pretrained?.notes.forEach((note) => io.log(`Note: ${note}`));
  reportLines(inputs.source.report).forEach((line) => io.log(line));
  const { templates } = inputs;
  askedLines(inputs).forEach((line) => io.log(line));
  return {
    ...inputs,
    files: {
      "prompts.json": JSON.stringify(templates, null, 2) + "\n",
      ...Object.fromEntries(inputs.companions.map(({ name, bytes }) => [name, bytes])),
    },
  };
}

/** Inputs of a model of SIDs alone, from scratch or with the weights of a run. */
async function sidsAloneInputs(
  dataset: Dataset,
  sids: string[][],
  settings: SftConfig,
  from: RunWeights | undefined,
): Promise<SftInputs> {
  checkSidsAlone(from?.sidsAlone ? { ...settings, model: "" } : settings);
  const vocabulary = SidVocabulary.fromSids(sids);
  const files = { "vocabulary.json": JSON.stringify(vocabulary.toJSON()) + "\n" };
  const inputs = sidInputs(dataset, sids, vocabulary, settings);
  if (!from?.sidsAlone) return { ...inputs, files };
  await checkSameSids(from, dataset, sids);
  const pretrained = await Pretrained.open(from.folder, diskFiles);
  // Positions are turned, not learned, so that there may be more of them.
  const positions = Math.max(
    pretrained.config.max_position_embeddings,
    inputs.architecture.max_position_embeddings,
  );
  return {
    ...inputs,
    architecture: { ...pretrained.config, max_position_embeddings: positions },
    pretrained,
    firstNewRow: vocabulary.size,
    frozenRows: 0,
    files,
  };
}

/** Says how the model will be asked for the next item, where that is not plain. */
function askedLines({ templates, prompts, source: { tasks } }: TextInputs): string[] {
  const { task = "next-item", unseen } = prompts.text ?? {};
  const words = templates.tasks[task];
  if (unseen) {
    return [
      `Warning: validation and evaluation ask for the next item in the words of ${templates.name}, which ${
        tasks.join(", ")
      } do not teach, so their figures mean little. Add next-item to --tasks, or measure by --metric-for-best-model loss`,
    ];
  }
  if (task !== "next-item") {
    return [`Note: validation and evaluation ask for the next item as ${task}, which is trained`];
  }
  if (words.rows === undefined || tasks.includes(task)) return [];
  const { input, instruction, also = [] } = words;
  return [
    `Note: validation and evaluation ask for the next item in the words of ${words.rows} rows: ${
      JSON.stringify(`${instruction} ${input}`.trim())
    }` + (also.length > 0 ? `; ${also.length} further wordings of the rows are kept in prompts.json` : ""),
  ];
}

// What only means something to a language model must not be passed over in silence.
function checkSidsAlone(settings: SftConfig): void {
  const given: [flag: string, given: boolean][] = [
    ["--model", settings.model !== ""],
    ["--tokenizer", settings.tokenizer !== ""],
    ["--from-scratch", settings.fromScratch],
    ["--trim-vocabulary", settings.trimVocabulary],
    ["--prompts", settings.prompts !== ""],
    ["--rows", settings.rows.length > 0],
    ["--preferences", settings.preferences !== ""],
    ["--value-aware", settings.valueAware],
  ];
  const found = given.filter(([, given]) => given).map(([flag]) => flag);
  if (found.length === 0) return;
  throw new UserError(
    `Cannot use ${found.join(", ")} in mode ${settings.mode}, which trains on SIDs alone. Use --mode tasks`,
  );
}

/** The rows of each task as a table for people. */
function reportLines(report: readonly TaskReport[]): string[] {
  const count = (value: number) => value.toLocaleString("en-US");
  const rows = report.map(({ name, rowsPerEpoch, tokens, rows, longest, truncated, leftOut }) => [
    name,
    count(rows),
    count(rowsPerEpoch),
    (tokens / Math.max(1, rows)).toFixed(0),
    String(longest),
    count(truncated),
    Object.entries(leftOut).filter(([, n]) => n > 0).map(([why, n]) => `${count(n)} ${why}`).join(", ") ||
    "-",
  ]);
  return tableLines([["task", "rows", "an epoch", "tokens", "longest", "cut", "left out"], ...rows], [6]);
}
