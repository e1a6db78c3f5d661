import { z } from "zod";
import { fill, PROMPTS, type Wording } from "./write_prompts.ts";
import type { CorpusSample } from "../../corpus.ts";
import type { Split } from "../../dataset.ts";
import { type OnFault, orFault } from "../../../base/fault.ts";
import { badValue } from "../../../base/file_error.ts";
import { readJson } from "../../../base/files/json_file.ts";
import {
  historyIn,
  isSid,
  NEXT_SID,
  questionIn,
  RlRow,
  rlRow,
  type RowPlace,
  type SampleRows,
  SftRow,
  sftRow,
  type Stage,
  STAGES,
} from "./rows.ts";

/** A question for the next SID, on its way to a sample. */
interface Task {
  history: number[];
  target: number;
  rows: SampleRows;
  /** Place before the shuffle. */
  index: number;
}

/** Makes samples of the rows of `sft/` and `rl/`. */
export class RowReader {
  /** Wordings that are not our own, in order of first appearance. */
  readonly wordings: Wording[] = [];
  /** Rows of other tasks, in order. */
  readonly others: Record<Stage, Record<Split, (SftRow | RlRow)[]>> = {
    sft: { train: [], valid: [], test: [] },
    rl: { train: [], valid: [], test: [] },
  };
  /** What RL rows call the dataset. */
  source?: string;
  readonly #items = new Map<string, number>();
  readonly #onFault: OnFault;
  readonly #wordingNumbers = new Map<string, number | undefined>();
  readonly #tasks: Record<Split, Record<Stage, Task[]>> = {
    train: { sft: [], rl: [] },
    valid: { sft: [], rl: [] },
    test: { sft: [], rl: [] },
  };

  constructor(sids: readonly string[][], onFault: OnFault) {
    this.#onFault = onFault;
    for (const [item, sid] of sids.entries()) {
      const joined = sid.join("");
      if (!this.#items.has(joined)) this.#items.set(joined, item);
    }
    const { instruction: _, ...inRl } = PROMPTS.next;
    for (const own of [PROMPTS.next, inRl]) this.#wordingNumbers.set(JSON.stringify(own), undefined);
  }

  /** Reads one file. */
  async add(stage: Stage, split: Split, path: string): Promise<void> {
    const rows: (SftRow | RlRow)[] = stage === "sft"
      ? await readJson(path, z.array(SftRow))
      : await readJson(path, z.array(RlRow));
    for (const [row, content] of rows.entries()) {
      orFault(this.#onFault, () => this.#addRow(stage, split, row, content, path));
    }
  }

  #addRow(stage: Stage, split: Split, row: number, content: SftRow | RlRow, path: string): void {
    const { wording, answer } = questionIn(content);
    const history = historyIn(wording.input);
    if ("data_source" in content) this.source ??= content.data_source;
    if (history === undefined || !isSid(answer)) {
      this.others[stage][split].push(content);
      return;
    }
    const input = wording.input.replace(history.text, () => "{history}");
    const index = "extra_info" in content ? content.extra_info.index : row;
    const filled = { ...wording, input: fill(input, "history", history.text) };
    const again = stage === "sft"
      ? sftRow(filled, answer)
      : rlRow(filled, answer, { ...NEXT_SID, source: this.source!, split, index });
    const number = this.#wordingNumber({ ...wording, input });
    const place: RowPlace = {
      row,
      index,
      ...(number !== undefined && { wording: number }),
      ...(JSON.stringify(again) !== JSON.stringify(content) && { verbatim: content }),
    };
    this.#tasks[split][stage].push({
      history: history.sids.map((sid) => this.#item(sid, path, row)),
      target: this.#item(answer, path, row),
      rows: { [stage]: place },
      index,
    });
  }

  #item(sid: string, path: string, row: number): number {
    const item = this.#items.get(sid);
    if (item !== undefined) return item;
    throw badValue({ path: `${path} row ${row}` }, "a SID of id2sid.json", sid, "Use files of one export");
  }

  #wordingNumber(wording: Wording): number | undefined {
    const key = JSON.stringify(wording);
    if (!this.#wordingNumbers.has(key)) this.#wordingNumbers.set(key, this.wordings.push(wording) - 1);
    return this.#wordingNumbers.get(key);
  }

  /** The samples of a split: one for each RL row, in order of their index, then SFT rows without an RL row. */
  samples(split: Split): CorpusSample[] {
    const { sft, rl } = this.#tasks[split];
    const tasks = rl.toSorted((a, b) => a.index - b.index);
    const unmatched = Map.groupBy(tasks, taskKey);
    for (const task of sft) {
      const match = unmatched.get(taskKey(task))?.shift();
      if (match === undefined) tasks.push(task);
      else match.rows.sft = task.rows.sft;
    }
    return tasks.map(({ history, target, rows }, place) => {
      const own: SampleRows = {};
      for (const stage of STAGES) {
        const row = withoutOwn(rows[stage], stage, place);
        if (row === null || Object.keys(row).length > 0) own[stage] = row;
      }
      const attributes = Object.keys(own).length > 0 ? { mimigenrec: own } : undefined;
      return { user: 0, history, target, ...(attributes && { attributes }) };
    });
  }
}

function taskKey({ history, target }: Task): string {
  return `${history} ${target}`;
}

/** A row's place without what the sample's own place says already. */
function withoutOwn(found: RowPlace | null | undefined, stage: Stage, place: number): RowPlace | null {
  if (!found) return null;
  const { row, index, ...rest } = found;
  return {
    ...(row !== place && { row }),
    ...(stage === "rl" && index !== place && { index }),
    ...rest,
  };
}
