/** What a cell is, by the kind of its column. */
export interface Cells {
  integer: number;
  /** 64 bits in the file. */
  long: number;
  number: number;
  text: string;
  integers: number[];
  texts: string[];
}

/** What a column holds. */
export interface ColumnType {
  kind: keyof Cells;
  /** Whether cells may be null; such a column may be missing, too. */
  nullable?: boolean;
}

/** Columns of a table by name. */
export type TableType = Record<string, ColumnType>;

type Cell<C extends ColumnType> = Cells[C["kind"]] | (C["nullable"] extends true ? null : never);

/** The cells of a table, column by column. */
export type ParquetTable<T extends TableType> = { [Column in keyof T]: Cell<T[Column]>[] };
