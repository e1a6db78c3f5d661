import type { Asker, Dataset, Sample, Split, Told } from "../../data/dataset.ts";
import { readTextRows, rowsFile } from "../../data/formats/mimigenrec/asked_rows.ts";
import { readPreferences } from "../../data/preferences.ts";
import { UserError } from "../../base/user_error.ts";
import { askedSamples } from "../../prompts/asked.ts";
import { answeredSid, locateHistory } from "../../prompts/rows/row_wordings.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "../../prompts/tasks/by_name.ts";

/** Which samples are ranked. */
export interface AskedChoice {
  split: Split;
  /** Task that is asked. */
  task: string;
  /** File of what somebody wrote of users; "": none. */
  preferences: string;
  /** File of questions as they are worded there; "": that of the dataset. */
  rows: string;
  /** Line ends between instruction and input of such a question; the words of the task have one. */
  rowLineEnds: number;
  /** The first so many alone; 0: all. */
  limit: number;
}

/** What samples are made of. */
export interface AskedCatalogue {
  dataset: Dataset;
  /** Directory of the dataset, or what messages call it. */
  data: string;
  /** SIDs (N), tokens joined; item numbers where items are scored by themselves. */
  names: readonly string[];
}

/** A sample with what its task is told beside the history. */
export type AskedSample = Sample & Asker;

/**
 * The samples that a task is asked about: those of a split, the items of the catalogue, or for a task that is told what
 * no dataset holds, those of its file. Throws {@link UserError} where there are none, for a file that is missing or
 * damaged, and for one that the task does not read. `note` hears what is left out.
 */
export async function samplesToAsk(
  catalogue: AskedCatalogue,
  choice: AskedChoice,
  note: (line: string) => void,
): Promise<AskedSample[]> {
  const { split, task: name, preferences, rows, rowLineEnds, limit } = choice;
  const task = alignmentTask(name), needs = task.told?.needs;
  refuseUnread("preferences", preferences !== "", "preference", name);
  refuseUnread("rows", rows !== "", "row", name);
  refuseUnread("row-line-ends", rowLineEnds !== 1, "row", name);
  const all = needs === "preference"
    ? await preferenceSamples(catalogue, choice)
    : needs === "row"
    ? await rowSamples(catalogue, choice, note)
    : askedSamples(task, catalogue.dataset, split);
  if (all.length === 0) {
    throw new UserError(
      `Cannot evaluate on ${catalogue.data}: its ${split} split is empty. Choose another --split`,
    );
  }
  return limit > 0 ? all.slice(0, limit) : all;
}

function refuseUnread(flag: string, isGiven: boolean, told: Told, name: string): void {
  if (!isGiven || alignmentTask(name).told?.needs === told) return;
  const others = ALIGNMENT_TASKS.filter((task) => task.told?.needs === told).map(({ name }) => name);
  throw new UserError(
    `Cannot use --${flag} with task ${name}: it asks by no ${told}. Leave it out, or use --task ${
      others.join(" or ")
    }`,
  );
}

async function preferenceSamples(
  { dataset: { items } }: AskedCatalogue,
  { preferences: path, split, task }: AskedChoice,
): Promise<AskedSample[]> {
  if (path === "") {
    throw new UserError(
      `Cannot ask for task ${task} without preferences: expected a file of what somebody wrote of the users of ${split}. ` +
        "Name it with --preferences",
    );
  }
  const found = (await readPreferences(path, items.length, split)).filter(({ history }) =>
    history.length > 0
  );
  if (found.length === 0) {
    throw new UserError(
      `Cannot evaluate on ${path}: it has no rows of split ${split} with a text and a history. Choose another --split`,
    );
  }
  return found.map(({ user, text, history, target }, row) => ({
    user: user ?? `row ${row}`,
    history,
    target,
    preference: text,
  }));
}

/** Rows whose answer is a SID alone; their history is the one list of SIDs that the input holds, else empty. */
async function rowSamples(
  { data, names }: AskedCatalogue,
  { rows, rowLineEnds, split }: AskedChoice,
  note: (line: string) => void,
): Promise<AskedSample[]> {
  const path = rows || await rowsFile(data, split);
  const numbers = new Map<string, number>();
  // Of items with one SID the first is meant.
  names.forEach((name, item) => numbers.has(name) || numbers.set(name, item));
  const known = new Set(names);
  const all = await readTextRows(path, names);
  const found = all.flatMap(
    ({ system, instruction, input, output }, place) => {
      const sid = answeredSid(output, known);
      if (sid === undefined) return [];
      const history = (locateHistory(input, known)?.sids ?? []).map((sid) => numbers.get(sid)!);
      const row = {
        system,
        instruction,
        input: instruction === "" ? input : "\n".repeat(rowLineEnds - 1) + input,
      };
      return [{ user: `row ${place}`, history, target: numbers.get(sid)!, row }];
    },
  );
  if (found.length < all.length) {
    note(
      `Note: ${
        all.length - found.length
      } of ${all.length} rows of ${path} are answered with no SID and left out`,
    );
  }
  if (found.length > 0) return found;
  throw new UserError(
    `Cannot evaluate on ${path}: none of its rows is answered with a SID of the index. Name another file with --rows`,
  );
}
