import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import manifest from "../../../deno.json" with { type: "json" };
import { UserError } from "../../../base/user_error.ts";
import { name, type Sql, sql } from "./sql.ts";

/** Where DuckDB works and what it may use. */
export interface EngineOptions {
  /** A folder of its own for tables and spilled data. */
  folder: string;
  /** What DuckDB may hold in memory, e.g. "1GB"; what does not fit goes to `folder`. */
  memory: string;
  threads: number;
  /** Stops the running statement. */
  signal?: AbortSignal;
}

type Cell = string | number | boolean | null;

/** DuckDB on a database file, so that tables may be larger than memory. Loaded when first opened. */
export class Engine implements Disposable {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #signal?: AbortSignal;
  readonly #interrupt: () => void;
  /** Where other files of the work may go, too. */
  readonly folder: string;

  private constructor(
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    { folder, signal }: Pick<EngineOptions, "folder" | "signal">,
  ) {
    this.folder = folder;
    this.#instance = instance;
    this.#connection = connection;
    this.#signal = signal;
    this.#interrupt = () => connection.interrupt();
    signal?.addEventListener("abort", this.#interrupt);
  }

  static async open({ folder, memory, threads, signal }: EngineOptions): Promise<Engine> {
    const { DuckDBInstance } = await loadDuckDB();
    // Here, since it starts a thread a core before it could be told otherwise.
    const instance = await DuckDBInstance.create(":memory:", { threads: String(threads) });
    const engine = new Engine(instance, await instance.connect(), { folder, signal });
    await engine.run(sql`SET memory_limit = ${memory}`);
    await engine.run(sql`SET temp_directory = ${`${folder}/spill`}`);
    await engine.run(sql`SET TimeZone = 'UTC'`);
    // Rows keep the order of the files: what comes first decides numbers and ties.
    await engine.run(sql`SET preserve_insertion_order = TRUE`);
    // The tables are gone when the engine is, so nothing need be recovered after a crash.
    await engine.run(sql`ATTACH ${`${folder}/work.duckdb`} AS work (RECOVERY_MODE NO_WAL_WRITES)`);
    await engine.run(sql`USE work`);
    return engine;
  }

  /** Aborted when the work is to stop. */
  get signal(): AbortSignal | undefined {
    return this.#signal;
  }

  /** Runs one statement. Throws {@link UserError} when it fails on the user's files, memory or disk. */
  async run(statement: Sql): Promise<void> {
    await this.rows(statement);
  }

  /** All rows of a query, integers as numbers: for results that fit in memory. */
  async rows<Row = Record<string, Cell>>(query: Sql): Promise<Row[]> {
    this.#signal?.throwIfAborted();
    try {
      const result = await this.#connection.runAndReadAll(query.text);
      return result.getRowObjectsJS().map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
        )
      ) as Row[];
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw userError(error as Error);
    }
  }

  /** The one row of a query. */
  async row<Row = Record<string, Cell>>(query: Sql): Promise<Row> {
    return (await this.rows<Row>(query))[0];
  }

  /** Replaces a table by the rows of a query, which may read the old one. */
  async replace(table: string, query: Sql): Promise<void> {
    await this.run(sql`CREATE TABLE ${name(table + "_next")} AS ${query}`);
    await this.run(sql`DROP TABLE IF EXISTS ${name(table)}`);
    await this.run(sql`ALTER TABLE ${name(table + "_next")} RENAME TO ${name(table)}`);
  }

  /** Gives a function of texts to SQL under a name. It sees NULL as null and must be pure. */
  async define(functionName: string, arity: number, body: TextFunction): Promise<void> {
    const { DuckDBScalarFunction, VARCHAR } = await loadDuckDB();
    this.#connection.registerScalarFunction(DuckDBScalarFunction.create({
      name: functionName,
      parameterTypes: Array(arity).fill(VARCHAR),
      returnType: VARCHAR,
      // Without it, DuckDB answers NULL for a NULL argument by itself.
      specialHandling: true,
      mainFunction(_, input, output) {
        const columns = Array.from({ length: arity }, (_, i) => input.getColumnVector(i));
        for (let row = 0; row < input.rowCount; row++) {
          output.setItem(row, body(...columns.map((column) => column.getItem(row) as string | null)));
        }
        output.flush();
      },
    }));
  }

  [Symbol.dispose](): void {
    this.#signal?.removeEventListener("abort", this.#interrupt);
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

/** What {@link Engine.define} takes. */
export type TextFunction = (...texts: (string | null)[]) => string | null;

/** DuckDB's module; the first use on a machine downloads it. */
async function loadDuckDB(): Promise<typeof import("@duckdb/node-api")> {
  // Named at run time: a bundle cannot hold its native library, and commands without raw data must not wait for it.
  const specifier: string = manifest.imports["@duckdb/node-api"];
  try {
    return await import(specifier);
  } catch (error) {
    throw new UserError(
      `Cannot load DuckDB, which reads the raw files: ${(error as Error).message.split("\n")[0]}. ` +
        `Its package ${specifier} is downloaded once: connect to the network and run the command again, ` +
        `or run ./genrec data in a clone of the repository`,
    );
  }
}

/** Thrown where the engine cannot read a file. */
export class UnreadableError extends UserError {}

const OUT_OF_MEMORY = /^Out of Memory Error/;
const OUT_OF_DISK = /No space left|max_temp_directory_size/;
// What files can cause; anything else is a mistake of ours and keeps its stack.
const OF_FILES =
  /^(IO|INTERNAL|Invalid Input|Invalid|HTTP|Conversion|CSV|Permission|Not implemented|TProtocol)\b.*Error|^HTTP/i;

function userError(error: Error): Error {
  const [first] = error.message.split("\n");
  if (OUT_OF_DISK.test(error.message)) {
    return new UserError(
      `Cannot go on: ${first}. Free space beside --out, which holds the intermediate tables`,
    );
  }
  if (OUT_OF_MEMORY.test(error.message)) {
    return new UserError(`Cannot go on: ${first}. Give more with --memory, or use fewer --threads`);
  }
  if (OF_FILES.test(error.message)) {
    return new UnreadableError(
      `Cannot read the raw files: ${first}. Check that the file is whole and of the kind that its name says`,
    );
  }
  return error;
}
