import { UserError } from "../../../base/user_error.ts";

/** Whether the terminal closed. */
let isHungUp = false;

/** Writes to a terminal: one that closed refuses, and a task still has to save. */
export function unlessHungUp(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!isHungUp) throw error;
  }
}

/** Signals that stop a task, how they are called, and what the process exits with: 128 and the signal's number. */
const STOPPING: [Deno.Signal, string, number][] = [
  ["SIGINT", "Ctrl-C", 130],
  ["SIGTERM", "SIGTERM", 143],
  // Of a terminal that closed.
  ["SIGHUP", "SIGHUP", 129],
];

// Asked at once: who has given up a right of Deno may not look into /proc.
const hangUpIsIgnored = isHangUpIgnored();

/** Whether this process was started to live on when its terminal closes, as by nohup. */
function isHangUpIgnored(): boolean {
  // Others do not tell; nohup takes the output away from the terminal.
  if (Deno.build.os !== "linux") return !Deno.stdout.isTerminal() && !Deno.stderr.isTerminal();
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
    return (BigInt(`0x${ignored}`) & 1n) === 1n; // bit n - 1 is signal n, SIGHUP is 1
  } catch {
    return false;
  }
}

/**
 * Runs what ends early, by its signal, at Ctrl-C, SIGTERM or SIGHUP, a service not at the latter; resolves to the exit
 * code. What `run` throws for another reason is thrown on.
 */
export async function withSignals(
  isService: boolean,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const controller = new AbortController();
  let code = 0;
  const stop = (name: string, exitCode: number) => () => {
    if (controller.signal.aborted) Deno.exit(exitCode);
    if (!isService) code = exitCode;
    isHungUp ||= name === "SIGHUP";
    unlessHungUp(() =>
      console.error(
        `\n${name}: stopping after ${isService ? "what was asked" : "this step"}. Once more to stop at once`,
      )
    );
    controller.abort(new UserError(`stopped by ${name}`));
  };
  const listeners = STOPPING.filter(([signal]) => !isService || signal !== "SIGHUP").map((
    [signal, name, exitCode],
  ) =>
    // Deno, as soon as it listens to another signal, would end the process at one that is ignored.
    [signal, signal === "SIGHUP" && hangUpIsIgnored ? () => {} : stop(name, exitCode)] as const
  );
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  try {
    await run(controller.signal);
  } catch (error) {
    // A task may also give up by throwing the reason, or an AbortError of something it waited for.
    const gaveUp = error === controller.signal.reason || (error as Error)?.name === "AbortError";
    if (!controller.signal.aborted || !gaveUp) throw error;
  } finally {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
  return code;
}
