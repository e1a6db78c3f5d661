import manifest from "../../deno.json" with { type: "json" };
import { sha256 } from "../../base/files/sha256.ts";
import { agree } from "../../base/parallel/agree.ts";
import { UserError } from "../../base/user_error.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { type MergeFlags, mergeShards } from "./rank_users.ts";
import type { EvaluateReport } from "./report_lines.ts";
import { checkEnded, checkOurs, removeEvaluation } from "./row_file.ts";
import { shardFolders } from "./shards.ts";

/** Flags of an evaluation by several processes. */
export interface RanksFlags extends MergeFlags {
  shard: string;
  shards: number;
  resume: boolean;
}

/**
 * Evaluates with a shard of the users a rank, by `evaluate`, which gets `--shard` and `--out`; the first rank makes one
 * evaluation of them, as of the processes of `--shards`. Undefined in the other ranks.
 */
export async function evaluateInRanks<F extends RanksFlags>(
  flags: F,
  io: TaskIO,
  evaluate: (flags: F, io: TaskIO) => Promise<unknown>,
): Promise<EvaluateReport | undefined> {
  const { out, shard, shards, resume } = flags;
  const { world } = io;
  const given = shard !== "" ? `--shard ${shard}` : shards > 0 ? `--shards ${shards}` : undefined;
  if (given !== undefined) {
    throw new UserError(
      `Cannot use ${given} with ${world.size} processes, which have a shard each: leave it out`,
    );
  }
  const folders = shardFolders(out, world.size);
  if (world.rank === 0) {
    await checkEnded(out);
    for (const folder of folders) await checkOurs(folder, resume);
  }
  await world.gather(new Uint8Array());
  // What a shard has found is told with the whole.
  const quiet = { ...io, log: (line: string) => line.startsWith("Warning: ") && io.log(line) };
  const own = {
    ...flags,
    shard: `${world.rank}/${world.size}`,
    out: folders[world.rank],
    mixture: 0,
    baselines: false,
    format: "none",
  };
  await evaluate(own, quiet).catch((error) => {
    // The others would wait for this one: all end.
    if (io.signal.aborted) throw new UserError("Stopped. The users so far are kept: go on with --resume");
    throw error;
  });
  await world.gather(new Uint8Array());
  if (world.rank > 0) return undefined;
  const report = await mergeShards({ ...flags, merge: folders }, io);
  for (const folder of folders) await removeEvaluation(folder);
  return report;
}

/** Throws {@link UserError} where ranks have not the same program, run and files of the dataset. */
export async function checkSameRun({ dataset, provenance }: Recommender, { world }: TaskIO): Promise<void> {
  if (world.size === 1) return;
  const files = await Promise.all(
    dataset.files.map(async (path) => [`the SHA-256 of ${path}`, await sha256(path)]),
  );
  await agree(world, "evaluate", {
    "the version of genrec": manifest.version,
    "the version of Deno": Deno.version.deno,
    "the run": JSON.stringify(provenance),
    ...Object.fromEntries(files),
  });
}
