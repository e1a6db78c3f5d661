import { type AtomicFile, numberCell, readAtomic } from "../recbole_table.ts";
import type { CorpusSample, Interactions, SplitKind } from "../../corpus.ts";
import { type Split, splits } from "../../dataset.ts";
import { type OnFault, orFault } from "../../../base/fault.ts";
import { exactTime, likelyUnit, type NumberUnit, unitOf } from "../../times.ts";
import { badValue } from "../../../base/file_error.ts";
import { numberOf } from "../../ids.ts";
import {
  cutSamples,
  inOrder,
  type Interaction,
  leaveOneOut,
  splitKindOf,
  toColumns,
} from "../../interactions.ts";

/** Columns of an `.inter` file that are read. */
const KNOWN = ["user_id", "item_id", "rating", "timestamp", "order", "split"];

/** What `split` says of an interaction that no sample predicts. */
export const NO_SPLIT = "none";

/** A log, its ids numbered by first appearance unless `items` has them already. */
export interface Log {
  /** User ids by number. */
  users: string[];
  interactions: Interactions;
  /** By user and place: the split of each interaction; undefined where the file has no such column. */
  labels?: string[][];
  /** Columns that are left out. */
  unread: string[];
}

/**
 * Reads an `.inter` file of RecBole: a line an interaction, `user_id`, `item_id`, and where known `rating`, `timestamp`
 * (Unix time; all of its digits put the log in order, whole seconds are kept), `order` (for data without times) and `split`. New item ids are added to `items`.
 */
export async function readLog(path: string, items: Map<string, number>, onFault: OnFault): Promise<Log> {
  const file = await readAtomic(path, ["user_id", "item_id"], onFault);
  const users = new Map<string, number>();
  const hasTimes = file.columns.includes("timestamp");
  const column = hasTimes ? "timestamp" : "order";
  const unit = hasTimes ? unitOf(numbersOf(file, column)) : "seconds";
  const rows = file.rows.flatMap((row) =>
    orFault(onFault, () => {
      const time = numberCell(row, column), rating = numberCell(row, "rating");
      const own = hasTimes && time !== undefined ? likelyUnit(time) ?? unit : unit;
      if (own !== unit) throw badValue({ ...row.place, column }, `${unit} as in other lines`, time);
      const label = row.cells.split ?? "";
      if (label !== "" && label !== NO_SPLIT && !splits.includes(label as Split)) {
        throw badValue({ ...row.place, column: "split" }, `${splits.join(", ")} or ${NO_SPLIT}`, label);
      }
      return {
        user: numberOf(users, row.cells.user_id),
        item: numberOf(items, row.cells.item_id),
        ...(time !== undefined && at(row.cells[column], unit)),
        ...(rating !== undefined && { rating }),
        label,
      };
    }) ?? []
  );
  const sorted = inOrder(rows) as (Interaction & { label: string })[];
  const labels: string[][] = Array.from(users, () => []);
  for (const { user, label } of sorted) labels[user].push(label);
  return {
    users: [...users.keys()],
    interactions: toColumns(hasTimes ? sorted : sorted.map(({ time: _, ...row }) => row)),
    ...(file.columns.includes("split") && { labels }),
    unread: [
      ...file.columns.filter((column) => !KNOWN.includes(column)).map((column) =>
        `column ${column} of ${path}`
      ),
      ...(unit === "seconds" ? [] : [`times of ${path} in ${unit}, which are kept in whole seconds`]),
    ],
  };
}

function* numbersOf({ rows }: AtomicFile, column: string): Generator<number> {
  for (const { cells } of rows) if (cells[column]) yield Number(cells[column]);
}

function at(text: string, unit: NumberUnit): Pick<Interaction, "time" | "fraction"> {
  const { seconds, nanoseconds } = exactTime(text, unit);
  return { time: seconds, fraction: nanoseconds };
}

/** Samples as the labels say, else leave-one-out as RecBole's sequential models split. */
export function samplesOfLog(
  { users, interactions, labels }: Log,
  maxHistory: number,
): { samples: Record<Split, CorpusSample[]>; split: SplitKind } {
  const splitOf = labels === undefined
    ? leaveOneOut
    : (user: number, place: number) => splits.find((split) => split === labels[user][place]);
  const samples = cutSamples(interactions, users.length, maxHistory, splitOf);
  const split = labels === undefined ? "leave-one-out" : splitKindOf(samples);
  if (split === "time") {
    for (const name of splits) samples[name].sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
  }
  return { samples, split };
}
