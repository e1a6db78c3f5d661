/** What a process of Linux has used so far: most memory in bytes, processor time in seconds. Undefined when it is gone. */
export function processUsage(pid: number): { peak: number; cpu: number } | undefined {
  try {
    const memory = /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    // The name in parentheses may hold spaces; user and system time are the 14th and 15th field, in hundredths.
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
    return memory
      ? { peak: 1024 * Number(memory[1]), cpu: (Number(fields[11]) + Number(fields[12])) / 100 }
      : undefined;
  } catch {
    return undefined;
  }
}

/** What a process of Linux holds in memory now, in bytes. Undefined when it is gone. */
export function residentBytesNow(pid: number): number | undefined {
  try {
    const held = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    return held ? 1024 * Number(held[1]) : undefined;
  } catch {
    return undefined;
  }
}
