/** Most characters of a row, line ends included. */
export const LONGEST_ROW = 2_000_000;

/** What a file's rows are read by. */
export interface Dialect {
  delimiter: string;
  /** "" where quotes mean nothing. */
  quote: string;
}

/** One row, or the line that is none. */
export interface DelimitedRow {
  /** Its first line, from 1. */
  line: number;
  cells: string[];
  /**
   * The line itself, where nothing in it means anything but the delimiter: no quotes, white space or control characters.
   * `cells` are then left out, which most lines of a log need not be cut into.
   */
  bare?: string;
  /** What is wrong; `cells` are then of no use. */
  fault?: string;
}

/** A row whose quoted cell goes on in the next line. */
interface OpenRow {
  lines: string[];
  firstLine: number;
  cells: string[];
  cell: string;
  size: number;
}

/**
 * Reads rows of delimited text, line by line. A quoted cell may go on over lines. Where that goes wrong, the line with the
 * opening quote is a fault by itself and reading goes on with the next, so that an open quote eats no rows.
 */
export class DelimitedReader {
  #dialect: Dialect;
  readonly #onRow: (row: DelimitedRow) => void;
  #width = 0;
  #oneLine: readonly number[] = [];
  #line = 0;
  #open?: OpenRow;
  /** Lines to be read anew, the next one last. */
  readonly #again: [text: string, line: number][] = [];

  constructor(dialect: Dialect, onRow: (row: DelimitedRow) => void) {
    this.#dialect = dialect;
    this.#onRow = onRow;
  }

  /** From now on, cells end at `delimiter`. */
  endCellsAt(delimiter: string): void {
    this.#dialect = { ...this.#dialect, delimiter };
  }

  /** From now on, each row must have `width` cells, and those of the columns `oneLine` may not go over lines. */
  expect(width: number, oneLine: readonly number[] = []): void {
    this.#width = width;
    this.#oneLine = oneLine;
  }

  /** Takes the next line of the file; `fault` is what is wrong with its bytes. */
  push(text: string, fault?: string): void {
    this.#line++;
    if (fault !== undefined) {
      this.#abandonAll("a quoted cell is not closed before a line that cannot be read");
      this.#onRow({ line: this.#line, cells: [], fault });
      return;
    }
    this.#take(text, this.#line);
    this.#drain();
  }

  /** Takes the end of the file. */
  end(): void {
    this.#abandonAll("a quoted cell is not closed to the end of the file");
  }

  #take(text: string, line: number): void {
    const { delimiter, quote } = this.#dialect;
    if (this.#open) return this.#goOn(this.#open, text);
    if (BARE.test(text)) {
      let width = 1;
      for (let at = text.indexOf(delimiter); at >= 0; at = text.indexOf(delimiter, at + delimiter.length)) {
        width++;
      }
      if (width === this.#width && text.length <= LONGEST_ROW) {
        return this.#onRow({ line, cells: [], bare: text });
      }
    }
    if (quote === "" || !text.includes(quote)) {
      if (text.trim() !== "") this.#finish(text.split(delimiter), line, text.length);
      return;
    }
    const row: OpenRow = { lines: [text], firstLine: line, cells: [], cell: "", size: text.length };
    const end = this.#scan(row, text, 0, false);
    if (end === "open" && row.size > LONGEST_ROW) {
      this.#onRow({ line, cells: [], fault: tooLong(row.cells.length) });
    } else if (end === "open") this.#open = row;
    else if (end === "done") this.#finish(row.cells, line, row.size);
    else this.#onRow({ line, cells: [], fault: end });
  }

  #goOn(row: OpenRow, text: string): void {
    row.lines.push(text);
    row.size += text.length + 1;
    if (row.size > LONGEST_ROW) return this.#abandon(tooLong(row.cells.length));
    const column = row.cells.length;
    const last = row.firstLine + row.lines.length - 1;
    row.cell += "\n";
    const end = this.#scan(row, text, 0, true);
    if (end === "open") return;
    if (end !== "done") {
      return this.#abandon(
        `the quoted cell ${column + 1} is not closed; the next quote, in line ${last}, is no end of a cell`,
      );
    }
    const broken = this.#oneLine.find((c) => row.cells[c]?.includes("\n"));
    if (broken !== undefined) return this.#abandon(`the quoted cell ${broken + 1} goes on to line ${last}`);
    if (this.#looksLikeRows(row, column)) {
      return this.#abandon(
        `the quoted cell ${column + 1} is closed in line ${last} only, and the lines before look like rows`,
      );
    }
    this.#open = undefined;
    this.#finish(row.cells, row.firstLine, row.size);
  }

  /** Whether lines inside a quoted cell are as wide as rows: then it was a quote too many. */
  #looksLikeRows({ lines }: OpenRow, column: number): boolean {
    const { delimiter, quote } = this.#dialect;
    const parts = (text: string) => text.split(delimiter).length;
    const inner = lines.slice(1, -1);
    const last = lines.at(-1)!;
    const reach = parts(last.slice(0, last.indexOf(quote)));
    const sameColumn = reach === column + 1 && parts(last) === this.#width;
    return sameColumn && inner.every((text) => parts(text) === this.#width) &&
      (column >= 2 || (inner.length > 0 && this.#width > 2));
  }

  /** Gives up the open row: its first line is a fault, the others wait to be read anew. */
  #abandon(fault: string): void {
    const { lines, firstLine } = this.#open!;
    this.#open = undefined;
    this.#onRow({ line: firstLine, cells: [], fault });
    for (let l = lines.length - 1; l > 0; l--) this.#again.push([lines[l], firstLine + l]);
  }

  #abandonAll(fault: string): void {
    while (this.#open) {
      this.#abandon(fault);
      this.#drain();
    }
  }

  #drain(): void {
    for (let next = this.#again.pop(); next; next = this.#again.pop()) this.#take(...next);
  }

  #finish(cells: string[], line: number, size: number): void {
    const wrongWidth = this.#width > 0 && cells.length !== this.#width;
    const fault = size > LONGEST_ROW
      ? tooLong()
      : wrongWidth
      ? `expected ${this.#width} cells as in the header, found ${cells.length}`
      : undefined;
    this.#onRow({ line, cells, ...(fault && { fault }) });
  }

  /** Reads the cells of a line into a row, from inside a quoted cell or the start of one: `open`, `done`, or the fault. */
  #scan(row: OpenRow, text: string, from: number, inside: boolean): string {
    const { delimiter, quote } = this.#dialect;
    for (let at = from;;) {
      if (!inside) {
        const start = skipSpaces(text, at, delimiter);
        if (!text.startsWith(quote, start)) {
          const end = text.indexOf(delimiter, at);
          row.cells.push(text.slice(at, end < 0 ? undefined : end));
          if (end < 0) return "done";
          at = end + delimiter.length;
          continue;
        }
        at = start + 1;
        row.cell = QUOTED;
      }
      inside = false;
      for (let closed = false; !closed;) {
        const end = text.indexOf(quote, at);
        if (end < 0) {
          row.cell += text.slice(at);
          return "open";
        }
        closed = text[end + 1] !== quote;
        row.cell += text.slice(at, closed ? end : end + 1);
        at = end + (closed ? 1 : 2);
      }
      row.cells.push(row.cell);
      at = skipSpaces(text, at, delimiter);
      if (at >= text.length) return "done";
      if (!text.startsWith(delimiter, at)) {
        return `text after the closing quote of cell ${row.cells.length}; inside a quoted cell, a quote is written ""`;
      }
      at += delimiter.length;
    }
  }
}

/** Most lines of a log. */
const BARE = /^[!#-~]+$/;

/** Marks a cell that was quoted, whose spaces are its own. */
const QUOTED = "\u0000";

/** The text of a cell: spaces around it are none of it, unless they are quoted. */
export function trimmedCell(cell: string): string {
  return cell.startsWith(QUOTED) ? cell.slice(1) : cell.trim();
}

function tooLong(column?: number): string {
  const where = column === undefined ? "a row" : `a row with an open quote in cell ${column + 1}`;
  return `${where} of more than ${LONGEST_ROW.toLocaleString("en")} characters`;
}

function skipSpaces(text: string, at: number, delimiter: string): number {
  while (text[at] === " " || (text[at] === "\t" && delimiter !== "\t")) at++;
  return at;
}
