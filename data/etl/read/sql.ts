/** A piece of SQL that is safe to put into another: made by {@link sql} and {@link name} alone. */
export class Sql {
  readonly text: string;

  /** Trusts `text`; use {@link sql} for anything with values in it. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a `${}` of {@link sql}; a list of values becomes a list literal. */
export type SqlValue = Sql | string | number | boolean | null | readonly SqlValue[];

/** SQL with its values quoted: text becomes a literal, never code. Throws `RangeError` for a number that has no literal. */
export function sql(parts: TemplateStringsArray, ...values: SqlValue[]): Sql {
  return new Sql(parts.reduce((text, part, i) => text + quoted(values[i - 1]) + part));
}

/** A column or table as it is named in a file or by the user. */
export function name(identifier: string): Sql {
  return new Sql(`"${identifier.replaceAll('"', '""')}"`);
}

/** Pieces with commas between them. */
export function commas(pieces: readonly Sql[]): Sql {
  return new Sql(pieces.map(({ text }) => text).join(", "));
}

function quoted(value: SqlValue): string {
  if (value instanceof Sql) return value.text;
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (value === null) return "NULL";
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (typeof value === "number") {
    if (!Number.isFinite(value)) {
      throw new RangeError(`Cannot write ${value} in SQL: expected a finite number`);
    }
    return String(value);
  }
  return `[${value.map(quoted).join(", ")}]`;
}
