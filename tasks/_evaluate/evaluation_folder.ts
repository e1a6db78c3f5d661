import { join } from "node:path";
import { z } from "zod";
import { HELD_FORMATS } from "../../models/decoder/decoder.ts";
import { splits } from "../../data/dataset.ts";
import { readJson } from "../../base/files/json_file.ts";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { UserError } from "../../base/user_error.ts";
import type { UserRanks } from "../../eval/compare.ts";
import type { Credit } from "../../eval/evaluate.ts";
import type { Rank } from "../../eval/metrics.ts";
import { RowSettings } from "./row_file.ts";

// Evaluations of older versions have neither limit nor shards.
const Metrics = z.object({
  run: z.string(),
  /** Baselines tell none: theirs is the best one. */
  checkpoint: z.string().default(""),
  data: z.string(),
  split: z.enum(splits),
  users: z.int(),
  beams: z.int(),
  limit: z.int().default(0),
  shard: z.string().default(""),
  secondsPerUser: z.number(),
  normalisation: z.string().optional(),
  repetitionPenalty: z.number().default(1),
  weights: z.enum(HELD_FORMATS).default("float32"),
  maxHistory: z.int().optional(),
  ...RowSettings.pick({
    maxNewTokens: true,
    temperature: true,
    topK: true,
    topP: true,
    minP: true,
  }).shape,
});

const Row = z.object({
  row: z.int().min(0).optional(),
  user: z.string(),
  target: z.int().min(0),
  rank: z.int().min(0).nullable(),
  sharing: z.int().min(1).default(1),
});

/** A folder of `genrec evaluate` or of `genrec baseline --evaluate`: what it says, and of each user. */
export interface EvaluationFolder extends UserRanks {
  folder: string;
  metrics: z.output<typeof Metrics>;
  users: string[];
  targets: number[];
}

/** Reads metrics.json and predictions.jsonl. Throws {@link UserError} where they are missing, damaged or not of one piece. */
export async function readEvaluation(folder: string, credit: Credit): Promise<EvaluationFolder> {
  const metrics = await readJson(join(folder, "metrics.json"), Metrics);
  const users: string[] = [];
  const targets: number[] = [];
  const ranks: Rank[] = [];
  const sharing: number[] = [];
  for await (const { value } of readJsonLines(join(folder, "predictions.jsonl"), Row)) {
    if (value.row === undefined && credit === "group") {
      throw new UserError(
        `Cannot compare ${folder} with --credit group: its predictions.jsonl does not tell how many items share a SID. ` +
          "Evaluate it again, or use --credit string",
      );
    }
    users.push(value.user);
    targets.push(value.target);
    ranks.push(value.rank);
    sharing.push(credit === "group" ? value.sharing : 1);
  }
  if (users.length !== metrics.users) {
    throw new UserError(
      `Cannot compare ${folder}: its predictions.jsonl has ${users.length} users, its metrics.json ${metrics.users}, ` +
        "expected as many. Evaluate it again",
    );
  }
  return { folder, metrics, users, targets, ranks, sharing };
}

/**
 * Throws {@link UserError} unless both are of the same users in the same order: another user in one row pairs every row
 * with a stranger's.
 */
export function checkPaired(baseline: EvaluationFolder, other: EvaluationFolder): void {
  const refuse = (what: string, found: string | number, expected: string | number) => {
    throw new UserError(
      `Cannot compare ${other.folder} with ${baseline.folder}: ${what} is ${found}, that of the baseline is ` +
        `${expected}, expected the same. Evaluate both on the same users`,
    );
  };
  for (const setting of ["split", "limit", "shard", "users"] as const) {
    const [found, expected] = [other.metrics[setting], baseline.metrics[setting]];
    if (found !== expected) refuse(`its ${setting}`, found || "none", expected || "none");
  }
  baseline.users.forEach((user, row) => {
    if (other.users[row] !== user) refuse(`the user of row ${row}`, other.users[row], user);
    if (other.targets[row] !== baseline.targets[row]) {
      refuse(`the target of row ${row}`, other.targets[row], baseline.targets[row]);
    }
  });
}
