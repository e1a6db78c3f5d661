import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import { readRunFolder, type RunFolder } from "./run_folder.ts";
import type { OpenRunOptions, RunKind } from "./run_kind.ts";
import type { SidRun } from "./sid_model.ts";
import { sidRecommender } from "./sid_recommender.ts";
import { sidRun } from "./sid_run.ts";

/** Folders of `genrec etegrec`, which stand for the stage that it kept, and its tokenizer, which recommends nothing. */
export const etegrecFolder: RunKind = {
  name: "ETEGRec folder",
  summary: "the folder of `genrec etegrec`",
  matches: ({ manifest, config }) => manifest.task === "etegrec" && config.stage === undefined,
  open: async (folder, options) => sidRecommender(await openKept(folder, options), options),
  openSids: openKept,
};

const Report = z.looseObject({ best: z.string() });

async function openKept(folder: RunFolder, options: OpenRunOptions): Promise<SidRun> {
  const { given, path, names } = folder;
  if (names.includes("latest")) {
    throw new UserError(
      `Cannot recommend with ${given}: it is the tokenizer stage of \`genrec etegrec\`, which codes items. Name a stage ` +
        "after it, such as joint or finetune, or the folder of all stages",
    );
  }
  if (!names.includes("report.json")) {
    const stages = (await Promise.all(
      names.map(async (name) => name !== "tokenizer" && await isFile(`${path}/${name}/latest`) ? [name] : []),
    )).flat();
    throw new UserError(
      `Cannot recommend with ${given}: its report.json, which tells the stage that is kept, is not there yet. Go on with ` +
        (stages.length > 0
          ? `--resume, or name a stage: ${stages.map((name) => `${path}/${name}`).join(", ")}`
          : "--resume"),
    );
  }
  const { best } = await readJson(`${path}/report.json`, Report);
  return await sidRun.openSids!(await readRunFolder(`${path}/${best}`), options);
}
