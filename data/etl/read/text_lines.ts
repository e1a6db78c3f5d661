import { UserError } from "../../../base/user_error.ts";
import { unpacked } from "./unpack.ts";

/** Lines in the order of a file, without their ends. */
export interface LineBlock {
  lines: string[];
  /** What is wrong with a line's bytes, by its place in `lines`. */
  faults: Map<number, string>;
}

/** How text is decoded. */
export interface TextOptions {
  /** A label of the Encoding standard, or `auto`: by its byte order mark, else UTF-8. */
  encoding: string;
  /** Under `auto`, what a file is that is not UTF-8 throughout; without it, such lines are faults. */
  legacy?: string;
  signal?: AbortSignal;
}

const NEWLINE = 10, RETURN = 13;
/** Bytes that a file's encoding and line ends are judged by. */
const HEAD = 1 << 16;
/** No line is longer, in bytes. */
const LONGEST_LINE = 1 << 28;

/** The Encoding standard's name of an encoding. Throws `RangeError` where there is none. */
export function encodingNamed(label: string): string {
  // Python's name of it.
  return new TextDecoder(label.replace(/^latin-1$/i, "latin1")).encoding;
}

/** The encoding of a file: what the user names, a byte order mark, the zeros of UTF-16, or UTF-8. */
export async function encodingOf(path: string, { encoding, legacy, signal }: TextOptions): Promise<string> {
  if (encoding !== "auto") return encodingNamed(encoding);
  const head = await headOf(path, signal);
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  const zeros = [0, 0];
  for (const [at, byte] of head.entries()) if (byte === 0) zeros[at & 1]++;
  if (zeros[1] > head.length / 5) return "utf-16le";
  if (zeros[0] > head.length / 5) return "utf-16be";
  if (legacy === undefined || await isUtf8(path, signal)) return "utf-8";
  return new TextDecoder(legacy).encoding;
}

async function headOf(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of unpacked(path, { signal })) {
    parts.push(bytes);
    length += bytes.length;
    if (length >= HEAD) break;
  }
  return joined(parts).subarray(0, HEAD);
}

async function isUtf8(path: string, signal?: AbortSignal): Promise<boolean> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const bytes of unpacked(path, { signal })) decoder.decode(bytes, { stream: true });
    decoder.decode();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/**
 * The lines of a local text file, packed or not, a block at a time; LF, CR LF and CR end a line. Throws `UserError` for a
 * file that is torn, or not in the encoding that it should be in.
 */
export async function* textLines(path: string, options: TextOptions): AsyncGenerator<LineBlock> {
  const encoding = await encodingOf(path, options);
  const head = await headOf(path, options.signal);
  // Old files end lines in CR alone.
  const onlyReturns = head.includes(RETURN) && !head.includes(NEWLINE);
  if (encoding.startsWith("utf-16")) return yield* decodedLines(path, encoding, onlyReturns, options.signal);
  const decode = lineDecoder(path, encoding);
  let held: Uint8Array[] = [], length = 0, isFirst = true;
  const block = (bytes: Uint8Array): LineBlock => {
    const decoded = decode(bytes, isFirst);
    isFirst = false;
    return decoded;
  };
  for await (const chunk of unpacked(path, { signal: options.signal })) {
    const bytes = onlyReturns ? chunk.map((byte) => byte === RETURN ? NEWLINE : byte) : chunk;
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      held.push(bytes);
      length += bytes.length;
      if (length > LONGEST_LINE) {
        throw new UserError(
          `Cannot read ${path}: a line is longer than 256 MiB. Write one record a line, or a file of another kind`,
        );
      }
      continue;
    }
    yield block(joined([...held, bytes.subarray(0, end - 1)]));
    held = end < bytes.length ? [bytes.subarray(end)] : [];
    length = bytes.length - end;
  }
  if (held.length > 0) yield block(joined(held));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function split(text: string): string[] {
  const lines = text.split("\n");
  if (text.includes("\r")) {
    for (const [l, line] of lines.entries()) if (line.endsWith("\r")) lines[l] = line.slice(0, -1);
  }
  return lines;
}

/** Decodes whole lines of an encoding in which a byte 10 is a line end and nothing else. */
function lineDecoder(path: string, encoding: string): (bytes: Uint8Array, isFirst: boolean) => LineBlock {
  const strict = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  const lossy = new TextDecoder(encoding, { ignoreBOM: true });
  const plain = (text: string, isFirst: boolean) =>
    isFirst && text.startsWith("\ufeff") ? text.slice(1) : text;
  return (bytes, isFirst) => {
    try {
      return { lines: split(plain(strict.decode(bytes), isFirst)), faults: new Map() };
    } catch {
      if (encoding !== "utf-8") throw notIn(path, encoding);
    }
    const lines: string[] = [], faults = new Map<number, string>();
    for (let at = 0; at <= bytes.length;) {
      const end = bytes.indexOf(NEWLINE, at);
      const line = bytes.subarray(at, end < 0 ? bytes.length : end);
      at = end < 0 ? bytes.length + 1 : end + 1;
      try {
        lines.push(strict.decode(line));
      } catch {
        faults.set(lines.length, notUtf8(line));
        lines.push(lossy.decode(line));
      }
    }
    lines[0] = plain(lines[0], isFirst);
    return { lines: split(lines.join("\n")), faults };
  };
}

function notUtf8(line: Uint8Array): string {
  const strange = line.find((byte) => byte > 127)!;
  return `not UTF-8 (byte ${
    strange.toString(16).toUpperCase()
  }), name the encoding with --encoding, such as windows-1252`;
}

function notIn(path: string, encoding: string): UserError {
  return new UserError(
    `Cannot read ${path}: it is not text in ${encoding}. Name another --encoding, such as utf-8 or windows-1252`,
  );
}

/** Lines of an encoding whose line ends are no single bytes. */
async function* decodedLines(
  path: string,
  encoding: string,
  onlyReturns: boolean,
  signal?: AbortSignal,
): AsyncGenerator<LineBlock> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  let rest = "";
  try {
    for await (const bytes of unpacked(path, { signal })) {
      const text = rest + decoder.decode(bytes, { stream: true });
      const lines = split(onlyReturns ? text.replaceAll("\r", "\n") : text);
      rest = text.slice(text.lastIndexOf(onlyReturns ? "\r" : "\n") + 1);
      lines.pop();
      yield { lines, faults: new Map() };
    }
    rest += decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw notIn(path, encoding);
    throw error;
  }
  if (rest !== "") yield { lines: split(rest), faults: new Map() };
}
