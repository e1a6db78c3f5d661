import type { Asker, Dataset, Sample, Split } from "../../data/dataset.ts";
import { readPreferences } from "../../data/preferences.ts";
import { UserError } from "../../base/user_error.ts";
import { askedSamples } from "../../prompts/asked.ts";
import { alignmentTask } from "../../prompts/tasks/by_name.ts";

/** Which samples are ranked. */
export interface AskedChoice {
  split: Split;
  /** Task that is asked. */
  task: string;
  /** File of what somebody wrote of users; "": none. */
  preferences: string;
  /** The first so many alone; 0: all. */
  limit: number;
}

/** A sample with what its task is told beside the history. */
export type AskedSample = Sample & Asker;

/**
 * The samples that a task is asked about: those of a split, the items of the catalogue, or for a task that is told what
 * no dataset holds, those of its file. `data` is what messages call the dataset. Throws {@link UserError} where there
 * are none, for a file that is missing or damaged, and for one that the task does not read.
 */
export async function samplesToAsk(
  dataset: Dataset,
  data: string,
  { split, task: name, preferences, limit }: AskedChoice,
): Promise<AskedSample[]> {
  const task = alignmentTask(name), isTold = task.told?.needs === "preference";
  if (preferences !== "" && !isTold) {
    throw new UserError(
      `Cannot use --preferences with task ${name}: it asks by no preference. Leave it out, or use --task preference-to-sid`,
    );
  }
  if (isTold && preferences === "") {
    throw new UserError(
      `Cannot ask for task ${name} without preferences: expected a file of what somebody wrote of the users of ${split}. ` +
        "Name it with --preferences",
    );
  }
  const all = isTold
    ? await preferenceSamples(dataset, preferences, split)
    : askedSamples(task, dataset, split);
  if (all.length === 0) {
    throw new UserError(
      `Cannot evaluate on ${
        isTold ? preferences : data
      }: its ${split} split is empty. Choose another --split`,
    );
  }
  return limit > 0 ? all.slice(0, limit) : all;
}

async function preferenceSamples({ items }: Dataset, path: string, split: Split): Promise<AskedSample[]> {
  const rows = await readPreferences(path, items.length, split);
  return rows.filter(({ history }) => history.length > 0).map(({ user, text, history, target }, row) => ({
    user: user ?? `row ${row}`,
    history,
    target,
    preference: text,
  }));
}
