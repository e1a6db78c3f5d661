/** How much a line matters. */
export type LogLevel = "info" | "warning" | "error";

/** Lines of JSON, one an event: time, level, message and what belongs to it. */
export class JsonLog {
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Writes an event; fields that are undefined are left out. */
  write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#print(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
  }
}
