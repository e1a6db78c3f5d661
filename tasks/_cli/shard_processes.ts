import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { TaskIO } from "./cli.ts";
import { flagOf } from "./command/property.ts";

/** Form of `--shard`; "" is no shard. */
const SHARD = /^(?:(\d+)\/([1-9]\d*))?$/;

/** Flags of a task that can be divided; `what` is divided among shards. */
export const shardFlags = (what: string) => ({
  shard: z.string().regex(SHARD, { error: "expected a shard such as 0/4, the first of four" }).default("")
    .describe(`this part of the ${what} alone, such as 0/4, 1/4, 2/4 and 3/4;`),
  shards: z.int().min(0).default(0).describe(
    "start so many processes on this machine, a shard each, and merge what they write; 0: this process alone",
  ),
  shardAdapters: z.array(z.string()).default([]).describe(
    "adapters of these processes in turn, each as --adapter has them, such as 0,1; none: --adapter for all",
  ),
});

/**
 * Rows `first` to `end` (not included) of `total` that `--shard` means: all without one. `what` they are, for messages,
 * and what is done with them.
 * @throws {UserError} for a shard that there is not, or that has no rows.
 */
export function shardRows(
  shard: string,
  total: number,
  { work, what }: { work: string; what: string },
): { first: number; end: number } {
  if (shard === "") return { first: 0, end: total };
  const [, i, n] = SHARD.exec(shard)!.map(Number);
  if (i >= n) throw new UserError(`Cannot ${work} shard ${shard}: expected one from 0/${n} to ${n - 1}/${n}`);
  const first = Math.floor(i * total / n);
  const end = Math.floor((i + 1) * total / n);
  if (first < end) return { first, end };
  throw new UserError(`Cannot ${work} shard ${shard}: it has none of ${total} ${what}. Use fewer shards`);
}

/** What is done in processes of their own. */
export interface ShardWork {
  /** Name of the task. */
  task: string;
  /** Flags that all of them get. */
  flags: Record<string, unknown>;
  /** `--out` of each. */
  outs: readonly string[];
  /** Adapters that are theirs in turn, if any. */
  adapters: readonly string[];
}

/**
 * Runs a task in a process a shard. When one fails or `io.signal` aborts, the others are told to stop; what they wrote
 * stays.
 * @throws {UserError} with the last words of a process that failed.
 */
export async function runShards({ task, flags, outs, adapters }: ShardWork, io: TaskIO): Promise<void> {
  const count = outs.length;
  const shared = Object.entries(flags).flatMap(([key, value]) => argumentsOf(flagOf(key), value));
  // An executable file of `genrec build` is genrec itself.
  const program = Deno.build.standalone ? [] : ["run", "-A", "--no-prompt", Deno.mainModule];
  const processes = outs.map((out, i) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...program,
        task,
        ...shared,
        ...["--shard", `${i}/${count}`, "--out", out],
        ...(adapters.length > 0 ? ["--adapter", adapters[i % adapters.length]] : []),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn()
  );
  const stop = () => {
    for (const process of processes) {
      try {
        process.kill("SIGTERM");
      } catch {
        // It ended before.
      }
    }
  };
  io.signal.addEventListener("abort", stop);
  const progress = io.progress(count, "shards");
  let done = 0;
  try {
    await Promise.all(processes.map(async (process, i) => {
      const { code, stderr } = await process.output();
      io.signal.throwIfAborted();
      if (code === 0) return progress.update(++done);
      const words = new TextDecoder().decode(stderr).trim().split("\n").at(-1)!.replace(/^error: /, "");
      throw new UserError(
        `Cannot ${task} shard ${i}/${count}: ${words || `its process ended with ${code}`}`,
      );
    }));
  } finally {
    stop();
    await Promise.all(processes.map(({ status }) => status));
    io.signal.removeEventListener("abort", stop);
    progress.stop();
  }
}

/** Words of a command line for the value of a flag; none for one that was not given or is empty. */
function argumentsOf(flag: string, value: unknown): string[] {
  if (value === undefined || value === "" || Array.isArray(value) && value.length === 0) return [];
  if (typeof value === "boolean") return [value ? flag : flag.replace("--", "--no-")];
  return [flag, String(value)];
}
