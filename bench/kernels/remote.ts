import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Contender, Runner } from "./contender.ts";
import { costPerRun } from "./contender.ts";
import { errorOf } from "./check.ts";
import {
  answersOf,
  type ContenderAnswer,
  type Memory,
  memoryOf,
  type Request,
  type RunCost,
} from "../speed/serve.ts";
import type { BenchWorkload } from "./workload.ts";

/** A workload opened by a contender, in this process or another. */
export interface Session {
  /** Largest error of the result that was read back. */
  readonly error: number;
  /** Cost of one run; what the processor worked is not known of commits before 2026-11-30. */
  time(budget: number): Promise<RunCost>;
  memory(): Promise<Memory>;
  close(): Promise<void>;
}

/** The contender cannot run this workload, or failed at it; the message is for the table. */
export class Absent extends Error {
  override name = "Absent";
}

const ANSWER_TIMEOUT = 15 * 60_000;

/** File of a contender's process; undefined in the single executable, which does not carry them. */
export function scriptPath(script: string): string | undefined {
  if (!import.meta.url.startsWith("file:")) return undefined;
  const path = fileURLToPath(new URL(script, import.meta.url));
  return existsSync(path) ? path : undefined;
}

export async function openLocal(contender: Contender, workload: BenchWorkload): Promise<Session> {
  const runner: Runner = await contender.open(workload);
  return {
    error: errorOf(workload, await runner.outputs()),
    time: (budget) => costPerRun((times) => runner.run(times), { budget }),
    memory: () => Promise.resolve(memoryOf(runner)),
    close: () => Promise.resolve(runner.close?.()),
  };
}

/** Opens `workload` in a process of its own, `env` beside what this one has. Peers need no config file and write no lock file: `isPeer`. */
export async function openProcess(
  path: string,
  args: string[],
  workload: BenchWorkload,
  isPeer: boolean,
  env: Record<string, string> = {},
): Promise<Session> {
  const options = isPeer ? ["--no-config", "--no-lock", "--quiet"] : ["--no-lock", "--quiet"];
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...options, path, ...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = lastLines(process.stderr);
  const answers = answersOf<ContenderAnswer>(process.stdout);
  const input = process.stdin.getWriter();
  const close = async () => {
    await input.close().catch(() => {});
    try {
      process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await process.status;
  };
  const ask = async (request: Request): Promise<ContenderAnswer> => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Absent(`no answer in ${ANSWER_TIMEOUT / 60_000} minutes`)),
        ANSWER_TIMEOUT,
      );
    });
    try {
      await input.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
      const { value, done } = await Promise.race([answers.next(), late]);
      if (done) throw new Absent(`ended: ${await stderr}`);
      if ("notSupported" in value) throw new Absent(value.notSupported);
      if ("failed" in value) throw new Absent(`failed: ${value.failed}`);
      return value;
    } catch (error) {
      await close();
      throw error instanceof Absent ? error : new Absent(`ended: ${await stderr}`);
    } finally {
      clearTimeout(timer);
    }
  };
  const { error } = await ask({ op: "open", workload }) as { error: number | null };
  return {
    error: error ?? Infinity, // JSON has no Infinity
    time: async (budget) => await ask({ op: "time", budget }) as RunCost,
    memory: async () => await ask({ op: "memory" }) as Memory,
    close,
  };
}

/** What a process had to say last, in one line. */
async function lastLines(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const text = await new Response(stderr).text();
  // deno-lint-ignore no-control-regex -- colours
  const lines = text.replace(/\x1b\[[0-9;]*m/g, "").trim().split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "without a word";
}
