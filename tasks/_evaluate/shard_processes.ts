import { join } from "node:path";
import { UserError } from "../../base/user_error.ts";
import { flagOf, type TaskIO } from "../_cli/cli.ts";

/**
 * Runs `genrec evaluate` with these flags in `count` processes, a shard each, in `OUT/shard-0` and so on; `adapters`, if
 * any, are theirs in turn. Resolves to these folders. When one fails or `io.signal` aborts, the others are told to stop; their rows stay.
 * @throws {UserError} with the last words of a process that failed.
 */
export async function evaluateShards(
  flags: Record<string, unknown> & { out: string },
  count: number,
  adapters: readonly string[],
  io: TaskIO,
): Promise<string[]> {
  const shared = Object.entries(flags).flatMap(([key, value]) => argumentsOf(flagOf(key), value));
  const folders = shardFolders(flags.out, count);
  // An executable file of `genrec build` is genrec itself.
  const program = Deno.build.standalone ? [] : ["run", "-A", "--no-prompt", Deno.mainModule];
  const processes = folders.map((out, i) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...program,
        "evaluate",
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
        `Cannot evaluate shard ${i}/${count}: ${words || `its process ended with ${code}`}`,
      );
    }));
  } finally {
    stop();
    await Promise.all(processes.map(({ status }) => status));
    io.signal.removeEventListener("abort", stop);
    progress.stop();
  }
  return folders;
}

/** Folders of the shards of an evaluation. */
export function shardFolders(out: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => join(out, `shard-${i}`));
}

/** Words of a command line for the value of a flag; none for one that is off or empty. */
function argumentsOf(flag: string, value: unknown): string[] {
  if (value === false || value === "" || Array.isArray(value) && value.length === 0) return [];
  return value === true ? [flag] : [flag, String(value)];
}
