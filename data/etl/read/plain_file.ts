import { attempt, writeAll } from "../../../base/files/write_atomic.ts";
import type { TableFormat } from "../source.ts";
import { type BadLine, SHOWN } from "./bad_line.ts";
import { DelimitedReader, trimmedCell } from "./delimited.ts";
import { JsonReader } from "./json_values.ts";
import { textLines, type TextOptions } from "./text_lines.ts";

/** Name of the column that says on which line of the original a row begins. */
export const LINE = "genrec line";

/** A copy of a text file that the engine reads without guessing: one row a line, UTF-8, nothing else in it. */
export interface PlainFile {
  /** The file that it is a copy of. */
  source: string;
  path: string;
  /** Columns of the copy, beside {@link LINE}, of delimited text. */
  columns: string[];
  /** Columns of the original's header. */
  header: string[];
  /** Lines that are no rows. */
  bad: { count: number; first: BadLine[] };
}

/** What to copy. */
export interface PlainRequest {
  source: string;
  path: string;
  format: TableFormat & { kind: "csv" | "json" };
  /** Columns wanted of delimited text; of JSON, all are copied. */
  columns: readonly string[];
  /** Columns whose cells may not go over lines. */
  oneLine: readonly string[];
  text: TextOptions;
}

const OTHER_DELIMITERS = [",", ";", "\t", "|"];
const FLUSH = 1 << 20;

/** Makes a {@link PlainFile}. Throws `UserError` for a file that is torn or no text. */
export async function makePlain(request: PlainRequest): Promise<PlainFile> {
  const { source, path, format } = request;
  const plain: PlainFile = { source, path, columns: [], header: [], bad: { count: 0, first: [] } };
  const out: string[] = [];
  const reject = (line: number, problem: string) => {
    plain.bad.count++;
    if (plain.bad.first.length < SHOWN) {
      plain.bad.first.push({ place: `${source} line ${line}`, line, problem });
    }
  };
  const reader = format.kind === "csv"
    ? delimitedCopy(request, format, plain, out, reject)
    : new JsonReader(({ line, json, fault }) => {
      if (fault !== undefined) return reject(line, fault);
      const rest = json.slice(1).trimStart();
      out.push(`{"${LINE}":${line}${rest.startsWith("}") ? "" : ","}${rest.replaceAll("\n", " ")}\n`);
    });
  const utf8 = new TextEncoder();
  const onDisk = <T>(work: () => Promise<T>) =>
    attempt(`copy ${source}`, work, "Free space beside --out, which holds the intermediate tables");
  using file = await onDisk(() => Deno.open(path, { write: true, create: true, truncate: true }));
  const flush = async () => {
    const bytes = utf8.encode(out.join(""));
    out.length = 0;
    await onDisk(() => writeAll(file, bytes));
  };
  let size = 0;
  for await (const { lines, faults } of textLines(source, request.text)) {
    request.text.signal?.throwIfAborted();
    for (const [l, line] of lines.entries()) {
      reader.push(line, faults.get(l));
      size += line.length;
    }
    if (size > FLUSH) {
      await flush();
      size = 0;
    }
  }
  reader.end();
  await flush();
  return plain;
}

function delimitedCopy(
  { columns, oneLine }: PlainRequest,
  { delimiter, header, quote }: TableFormat & { kind: "csv" },
  plain: PlainFile,
  out: string[],
  reject: (line: number, problem: string) => void,
): Pick<DelimitedReader, "push" | "end"> {
  let places: number[] = [], takesAll = false, between = delimiter;
  const setHeader = (names: readonly string[]) => {
    plain.header = [...names];
    plain.columns = [...new Set(names)].filter((column) => columns.includes(column));
    takesAll = plain.columns.length === names.length;
    places = plain.columns.map((column) => names.indexOf(column));
    reader.expect(names.length, oneLine.map((column) => names.indexOf(column)));
  };
  const reader = new DelimitedReader({ delimiter, quote }, (found) => {
    const { line, bare, fault } = found;
    if (fault !== undefined) return reject(line, fault);
    if (bare !== undefined && between === "," && takesAll) {
      out.push(`${line},${bare}\n`);
      return;
    }
    const cells = bare === undefined ? found.cells : bare.split(between);
    if (plain.header.length === 0) return setHeader(cells.map(trimmedCell));
    let row = String(line);
    for (const [p, place] of places.entries()) {
      const text = trimmedCell(cells[place]);
      if (text.includes("\u0000")) return reject(line, `a NUL byte in ${plain.columns[p]}`);
      row += /["\n\r,]/.test(text) ? `,"${text.replaceAll('"', '""')}"` : `,${text}`;
    }
    out.push(row + "\n");
  });
  if (header !== true) setHeader(header);
  return {
    push(text: string, fault?: string) {
      if (plain.header.length === 0) reader.endCellsAt(between = delimiterOf(text, delimiter, quote));
      reader.push(text, fault);
    },
    end: () => reader.end(),
  };
}

/** What ends the cells of a header: `usual`, or, where it is not there outside of quotes, another mark that is. */
function delimiterOf(line: string, usual: string, quote: string): string {
  const parts = quote === "" ? [line] : line.split(quote);
  const has = (mark: string) => parts.some((part, i) => i % 2 === 0 && part.includes(mark));
  return has(usual) ? usual : OTHER_DELIMITERS.find(has) ?? usual;
}
