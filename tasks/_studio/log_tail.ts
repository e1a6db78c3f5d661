import type { LogLine, LogTail } from "../../web/studio/messages.ts";

/** Most bytes of one answer: a page that is opened late reads a long log in pieces. */
const PIECE = 1 << 22;

/** Whole lines of a log from byte `after` on, or from the start where its version is not `version`. */
export async function logTail(path: string, version: string, after: number): Promise<LogTail> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    // A run that has just been made has no log yet.
    if (error instanceof Deno.errors.NotFound) return { version: "", end: 0, lines: [], age: null };
    throw error;
  }
  using _ = file;
  const { ino, size, mtime } = await file.stat();
  const now = String(ino);
  const start = now === version && after <= size ? after : 0;
  await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.min(PIECE, size - start));
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  // What follows the last line break is still being written.
  const whole = bytes.subarray(0, filled).lastIndexOf(10) + 1;
  return {
    version: now,
    end: start + whole,
    lines: new TextDecoder().decode(bytes.subarray(0, whole)).split("\n").flatMap(parsed),
    age: mtime === null ? null : Math.max(0, (Date.now() - mtime.getTime()) / 1000),
  };
}

/** A line of the log; none where it is damaged, as a kill may leave it. */
function parsed(line: string): LogLine[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? [value as LogLine] : [];
  } catch {
    return [];
  }
}
