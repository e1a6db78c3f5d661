import { join } from "node:path";
import { UserError } from "../../../base/user_error.ts";
import type { TableFormat } from "../source.ts";
import type { BadLine } from "./bad_line.ts";
import type { Engine } from "./engine.ts";
import { isRemote } from "./input_files.ts";
import { JsonReader } from "./json_values.ts";
import { LINE, makePlain, type PlainFile } from "./plain_file.ts";
import { commas, name, Sql, sql } from "./sql.ts";
import { encodingOf, textLines, type TextOptions } from "./text_lines.ts";
import { packingOf, unpacked } from "./unpack.ts";

/** Files of one table and what to take from them. */
export interface TableRequest {
  files: readonly string[];
  format: TableFormat;
  columns: readonly string[];
  /** Columns that a header must have; lines of JSON have none, and each may lack any. */
  required: readonly string[];
  /** What each column arrives as: VARCHAR, which stays on one line, or JSON, which tells a list from a text. */
  as: "VARCHAR" | "JSON";
  /** Label of the Encoding standard, or `auto`. */
  encoding: string;
}

/**
 * The rows of raw files. Parquet and sound JSON lines are read by the engine as they are; delimited text, and JSON of any
 * other kind, as {@link PlainFile}s, whose bad lines are known by number.
 */
export class RawTable {
  readonly request: TableRequest;
  readonly text: TextOptions;
  readonly #engine: Engine;
  readonly #plain = new Map<string, PlainFile>();
  /** Packing of the files that the engine reads as they are. */
  readonly #direct = new Map<string, string>();
  /** Copies on this machine of remote files that had to be looked into. */
  readonly #local = new Map<string, string>();
  #found: readonly string[] = [];

  private constructor(engine: Engine, request: TableRequest) {
    this.#engine = engine;
    this.request = request;
    const legacy = request.format.kind === "csv" ? request.format.legacy : undefined;
    this.text = { encoding: request.encoding, ...(legacy && { legacy }), signal: engine.signal };
  }

  /** Throws `UserError` for a missing column and for files that cannot be read. */
  static async open(engine: Engine, request: TableRequest): Promise<RawTable> {
    const table = new RawTable(engine, request);
    for (const file of request.files) {
      if (request.format.kind === "parquet") continue;
      const direct = request.format.kind === "json" ? await table.#looksSound(file) : undefined;
      if (direct) table.#direct.set(file, direct);
      else await table.#copy(file);
    }
    await table.#checkColumns();
    return table;
  }

  get files(): readonly string[] {
    return this.request.files;
  }

  /** Lines that are no rows, over all files. */
  get rejected(): number {
    return this.#plain.values().reduce((sum, { bad }) => sum + bad.count, 0);
  }

  /** The first of them in a file. */
  rejectedOf(file: string): BadLine[] {
    return this.#plain.get(file)?.bad.first ?? [];
  }

  /** A file's path on this machine. */
  localOf(file: string): string {
    return this.#local.get(file) ?? file;
  }

  /** Whether a file was taken for sound without looking at each line. */
  get hasDirect(): boolean {
    return this.#direct.size > 0;
  }

  /** Copies the files that were taken for sound: after the engine found rows in them that it cannot read. */
  async copyDirect(): Promise<void> {
    for (const file of [...this.#direct.keys()]) {
      this.#direct.delete(file);
      await this.#copy(file);
    }
  }

  /** The rows of a file, or of all in order: {@link LINE}, NULL where it is not known, and the wanted columns. */
  query(file?: string): Sql {
    const files = file === undefined ? this.files : [file];
    const { kind } = this.request.format;
    if (kind === "parquet") return this.#parquet(files);
    // Files that are read alike go into one scan.
    const alike = (one: string) => this.#direct.get(one) ?? JSON.stringify(this.#plain.get(one)!.columns);
    const runs: string[][] = [];
    for (const one of files) {
      const run = runs.at(-1);
      const fits = run && this.#plain.has(run[0]) === this.#plain.has(one) && alike(run[0]) === alike(one);
      if (fits) run.push(one);
      else runs.push([one]);
    }
    const scans = runs.map((run) => kind === "json" ? this.#json(run) : this.#csv(run));
    return scans.length === 1 ? scans[0] : new Sql(scans.map(({ text }) => `(${text})`).join(" UNION ALL "));
  }

  #parquet(files: readonly string[]): Sql {
    const table = parquetTable(files);
    return sql`SELECT CAST(NULL AS BIGINT) AS ${name(LINE)}, ${
      commas(this.#cells(this.#found))
    } FROM ${table}`;
  }

  #json(files: readonly string[]): Sql {
    const { columns, as } = this.request;
    const types = columns.map((column) => sql`${name(column)}: ${as}`);
    const options = sql`format = 'newline_delimited', ignore_errors = TRUE, maximum_object_size = 67108864`;
    const compression = this.#direct.get(files[0]);
    if (compression !== undefined) {
      return sql`SELECT CAST(NULL AS BIGINT) AS ${name(LINE)}, * FROM read_json(${files}, ${options},
        compression = ${compression}, columns = {${commas(types)}})`;
    }
    return sql`SELECT * FROM read_json(${this.#copies(files)}, ${options}, columns = {${
      name(LINE)
    }: 'BIGINT', ${commas(types)}})`;
  }

  #csv(files: readonly string[]): Sql {
    const { columns } = this.#plain.get(files[0])!;
    const types = [sql`${name(LINE)}: 'BIGINT'`, ...columns.map((column) => sql`${name(column)}: 'VARCHAR'`)];
    // Room for a row of the longest, each quote of it doubled and each letter of three bytes.
    return sql`SELECT ${name(LINE)}, ${commas(this.#cells(columns))} FROM read_csv(${this.#copies(files)},
      auto_detect = FALSE, header = FALSE, delim = ',', quote = '"', escape = '"', new_line = '\\n',
      max_line_size = 8000000, buffer_size = 32000000, columns = {${commas(types)}})`;
  }

  #copies(files: readonly string[]): string[] {
    return files.map((file) => this.#plain.get(file)!.path);
  }

  /** The wanted columns out of those found. */
  #cells(found: readonly string[]): Sql[] {
    const { columns, as, format } = this.request;
    return columns.map((column) => {
      const cell = name(column);
      if (!found.includes(column)) return sql`CAST(NULL AS ${new Sql(as)}) AS ${cell}`;
      if (as === "VARCHAR") return sql`CAST(${cell} AS VARCHAR) AS ${cell}`;
      // A list in a cell of delimited text is written as Python or JSON prints it.
      return format.kind === "csv"
        ? sql`CASE WHEN starts_with(${cell}, '[') THEN CAST(list_json(${cell}) AS JSON) ELSE to_json(${cell}) END AS ${cell}`
        : sql`to_json(${cell}) AS ${cell}`;
    });
  }

  async #copy(file: string): Promise<void> {
    const { format, columns, as } = this.request;
    if (format.kind === "parquet") return;
    if (isRemote(file) && !this.#local.has(file)) this.#local.set(file, await this.#fetch(file));
    const path = join(this.#engine.folder, `plain-${crypto.randomUUID()}`);
    const oneLine = as === "VARCHAR" ? columns : [];
    const source = this.localOf(file);
    const plain = await makePlain({ source, path, format, columns, oneLine, text: this.text });
    for (const bad of plain.bad.first) bad.place = `${file} line ${bad.line}`;
    this.#plain.set(file, plain);
  }

  /** A remote text file as lines on this machine. */
  async #fetch(address: string): Promise<string> {
    const path = join(this.#engine.folder, `remote-${crypto.randomUUID()}`);
    // One column of whole lines: a separator that text does not hold, and no quotes.
    await this.#engine.run(
      sql`COPY (SELECT line FROM read_csv(${address}, auto_detect = FALSE, header = FALSE,
      delim = ${"\x01"}, quote = '', escape = '', max_line_size = 16000000, buffer_size = 64000000, columns = {line: 'VARCHAR'}))
      TO ${path} (FORMAT csv, HEADER FALSE, DELIMITER ${"\x01"}, QUOTE '', ESCAPE '')`,
    );
    return path;
  }

  /** How the engine can read a file of JSON lines by itself; undefined where it cannot, by its first line. */
  async #looksSound(file: string): Promise<string | undefined> {
    if (isRemote(file)) return "auto_detect";
    if (await encodingOf(file, this.text) !== "utf-8") return;
    const packing = await packingOf(file);
    for await (const { lines, faults } of textLines(file, this.text)) {
      const first = lines.findIndex((line) => line.trim() !== "");
      if (first < 0) continue;
      let isSound = faults.size === 0 && lines[first].trim().startsWith("{");
      const reader = new JsonReader(({ fault }) => isSound &&= fault === undefined);
      reader.push(lines[first]);
      reader.end();
      return isSound && !await startsWithMark(file) ? packing : undefined;
    }
    return packing;
  }

  async #checkColumns(): Promise<void> {
    const { format, columns, required, files, as } = this.request;
    if (format.kind === "json") return;
    if (format.kind === "parquet") {
      const rows = await this.#engine.rows<{ column_name: string; column_type: string }>(
        sql`DESCRIBE SELECT * FROM ${parquetTable(files)}`,
      );
      this.#found = rows.map(({ column_name }) => column_name);
      const nested = rows.find(({ column_name: column, column_type: type }) =>
        as === "VARCHAR" && columns.includes(column) && /^(STRUCT|MAP|UNION)\b|\]$/.test(type)
      );
      if (nested) {
        throw new UserError(
          `Cannot read ${
            files[0]
          }: its column ${nested.column_name} holds ${nested.column_type}, expected texts or ` +
            `numbers. Name another column, or write one value a row`,
        );
      }
    }
    const headers = format.kind === "parquet"
      ? [[files[0], this.#found] as const]
      : files.map((file) => [file, this.#plain.get(file)!.header] as const);
    for (const [file, found] of headers) {
      const twice = columns.find((column) => found.indexOf(column) !== found.lastIndexOf(column));
      if (twice !== undefined) {
        throw new UserError(
          `Cannot read ${file}: it has more than one column ${twice}, so nothing tells which is meant, found ` +
            `${shownColumns(found)}. Rename one of them`,
        );
      }
      const missing = required.find((column) => !found.includes(column));
      if (missing === undefined) continue;
      if (found.length === 0) continue;
      throw new UserError(
        `Cannot read ${file}: expected a column ${missing}, found ${shownColumns(found)}. ` +
          `Check --dataset and the names of columns`,
      );
    }
  }
}

/** Texts of old writers are marked as bytes. */
function parquetTable(files: readonly string[]): Sql {
  return sql`read_parquet(${files}, union_by_name = TRUE, binary_as_string = TRUE)`;
}

const SHOWN_COLUMNS = 30, SHOWN_NAME = 40;

function shownColumns(found: readonly string[]): string {
  const shown = found.slice(0, SHOWN_COLUMNS).map((column) => printable(column.slice(0, SHOWN_NAME)));
  return shown.join(", ") + (found.length > SHOWN_COLUMNS ? ` and ${found.length - SHOWN_COLUMNS} more` : "");
}

/** Text with control characters written out, so that a terminal shows and does not obey them. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Whether a file begins with a byte order mark, which the engine takes for text. */
async function startsWithMark(file: string): Promise<boolean> {
  for await (const bytes of unpacked(file)) {
    return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  }
  return false;
}
