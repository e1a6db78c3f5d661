import { processUsage } from "../process_usage.ts";

/** What a process took. */
export interface Used {
  seconds: number;
  cpu: number;
  /** Bytes. */
  peak: number;
  stdout: string;
}

/** Runs a script in a process of its own. */
export function run(...args: string[]): Promise<Used> {
  return runUntil(Infinity, args);
}

/** Runs a script in a process of its own, which is killed after so many seconds. Throws where it fails or ends before. */
export async function runUntil(killAfter: number, args: readonly string[]): Promise<Used> {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let used = { peak: 0, cpu: 0 };
  const watch = setInterval(() => used = processUsage(child.pid) ?? used, 50);
  const kill = killAfter < Infinity ? setTimeout(() => child.kill("SIGKILL"), 1000 * killAfter) : undefined;
  const { success, signal, stdout } = await child.output();
  clearInterval(watch);
  clearTimeout(kill);
  if (kill === undefined ? !success : signal !== "SIGKILL") throw new Error(`${args.join(" ")} failed`);
  const seconds = (performance.now() - started) / 1000;
  return { seconds, ...used, stdout: new TextDecoder().decode(stdout) };
}

/** Times and memory as tables have them. */
export function cells({ seconds, cpu, peak }: Pick<Used, "seconds" | "cpu" | "peak">): string[] {
  const mebibytes = Math.round(peak / 2 ** 20).toLocaleString("en");
  return [`${seconds.toFixed(1)} s`, `${cpu.toFixed(1)} s`, `${mebibytes} MiB`];
}
