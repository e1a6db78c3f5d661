import type { SparseRows } from "../../kernels/matmul/sparse.ts";

/** Sparse rows that grow entry by entry, in memory of eight bytes each. */
export class RowBuilder {
  #offsets = [0];
  #columns = new Uint32Array(1024);
  #values = new Float32Array(1024);
  #length = 0;

  /** Adds an entry to the row at work; columns must rise. */
  add(column: number, value: number): void {
    if (this.#length === this.#columns.length) {
      const [columns, values] = [this.#columns, this.#values];
      this.#columns = new Uint32Array(2 * this.#length);
      this.#columns.set(columns);
      this.#values = new Float32Array(2 * this.#length);
      this.#values.set(values);
    }
    this.#columns[this.#length] = column;
    this.#values[this.#length++] = value;
  }

  /** Ends the row at work. */
  endRow(): void {
    this.#offsets.push(this.#length);
  }

  /** The matrix of all ended rows and `cols` columns. */
  build(cols: number): SparseRows {
    return {
      rows: this.#offsets.length - 1,
      cols,
      offsets: Uint32Array.from(this.#offsets),
      columns: this.#columns.slice(0, this.#length),
      values: this.#values.slice(0, this.#length),
    };
  }
}
