import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { UserError } from "../../base/user_error.ts";
import type { Prediction } from "../../eval/evaluate.ts";
import { shardRows } from "../_cli/shard_processes.ts";
import { checkSameSettings, readRows, RowSettings } from "./row_file.ts";

/** Rows that `--shard` means: all without one. Throws {@link UserError} for a shard without users. */
export function userRows(shard: string, total: number): { first: number; end: number } {
  return shardRows(shard, total, { work: "evaluate", what: "users" });
}

/** Folders of the shards of an evaluation. */
export function shardFolders(out: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => join(out, `shard-${i}`));
}

/** Evaluations of parts of a split that make a whole. */
export interface Shards {
  /** What they have in common. */
  settings: RowSettings;
  /** Name of the method or architecture. */
  model: string;
  /** Mean of the shards, by users. */
  secondsPerUser: number;
  /** All rows in order. Throws {@link UserError} where one is missing or doubled. */
  rows(total: number): AsyncGenerator<Prediction>;
}

const ShardReport = RowSettings.extend({
  users: z.int(),
  secondsPerUser: z.number(),
  // Evaluations of older versions do not tell.
  model: z.string().default(""),
});

/** Opens the folders of `--shard`, in any order. Throws {@link UserError} if they were made with different settings. */
export async function openShards(folders: readonly string[]): Promise<Shards> {
  const shards: { folder: string; first: number; report: z.output<typeof ShardReport> }[] = [];
  for (const folder of folders) {
    const report = await readJson(join(folder, "metrics.json"), ShardReport);
    const rows = readRows(join(folder, "predictions.jsonl"));
    const { value, done } = await rows.next();
    await rows.return(undefined);
    if (done) {
      throw new UserError(`Cannot merge ${folder}: its predictions.jsonl is empty. Evaluate it again`);
    }
    shards.push({ folder, first: value.row, report });
  }
  const settings = { ...RowSettings.parse(shards[0].report), shard: "" };
  for (const { folder, report } of shards) {
    checkSameSettings(
      { ...report, shard: "" },
      settings,
      (setting, found, expected) =>
        `Cannot merge ${folder} with ${folders[0]}: it has ${setting} ${found}, ${
          folders[0]
        } has ${expected}, expected ` +
        "the same. Evaluate it again",
    );
  }
  shards.sort((a, b) => a.first - b.first);
  const users = shards.reduce((sum, { report }) => sum + report.users, 0);
  const seconds = shards.reduce((sum, { report }) => sum + report.users * report.secondsPerUser, 0);
  return {
    settings,
    model: shards[0].report.model,
    secondsPerUser: seconds / users,
    async *rows(total) {
      let next = 0;
      let before = "";
      for (const { folder } of shards) {
        for await (const prediction of readRows(join(folder, "predictions.jsonl"))) {
          const { row } = prediction;
          if (row < next) {
            throw new UserError(
              `Cannot merge: row ${row} of ${folder} is also in ${
                before || folder
              }, expected each row once. ` +
                "Name each shard once",
            );
          }
          if (row > next) throw missing(next, row, total);
          next++;
          yield prediction;
        }
        before = folder;
      }
      if (next < total) throw missing(next, total, total);
    },
  };
}

function missing(first: number, end: number, total: number): UserError {
  const rows = end - first === 1 ? `row ${first} is` : `rows ${first} to ${end - 1} are`;
  return new UserError(
    `Cannot merge: ${rows} missing, expected rows 0 to ${
      total - 1
    }. Name the folders of all shards with --merge`,
  );
}
