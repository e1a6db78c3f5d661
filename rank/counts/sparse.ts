/**
 * A sparse matrix (N, N) of counts in compressed rows: how often, or with which weight, an item went with another. Memory
 * is 8 bytes an entry, whatever N.
 */
export interface SparseCounts {
  /** (N + 1): the entries of row i are [offsets[i], offsets[i + 1]). */
  readonly offsets: Uint32Array;
  /** (entries) columns, ascending within a row. */
  readonly columns: Uint32Array;
  /** (entries) counts, above 0. */
  readonly values: Float32Array;
  /** (N) sums of the rows. */
  readonly rowSums: Float32Array;
  /** (N) sums of the columns. */
  readonly columnSums: Float32Array;
}

/** Calls `add` for each count, the same ones in the same order each time. */
export type CountSource = (add: (row: number, column: number, weight: number) => void) => void;

/**
 * Adds up counts of `source`, which is asked twice: for the lengths of rows, then for what stands in them. Beside the
 * result it takes 8 bytes a count for that time.
 */
export function sumCounts(itemCount: number, source: CountSource): SparseCounts {
  const starts = new Uint32Array(itemCount + 1);
  source((row) => starts[row + 1]++);
  for (let row = 0; row < itemCount; row++) starts[row + 1] += starts[row];
  const all = { columns: new Uint32Array(starts[itemCount]), values: new Float32Array(starts[itemCount]) };
  const next = starts.slice();
  source((row, column, weight) => {
    const at = next[row]++;
    all.columns[at] = column;
    all.values[at] = weight;
  });

  const sums = new Float64Array(itemCount);
  const offsets = new Uint32Array(itemCount + 1);
  let length = 0;
  for (let row = 0; row < itemCount; row++) {
    const own = all.columns.subarray(starts[row], starts[row + 1]);
    own.forEach((column, i) => sums[column] += all.values[starts[row] + i]);
    own.sort();
    // What is written stands at or before what is still to be read.
    for (let i = 0; i < own.length; i++) {
      const column = own[i];
      if (i > 0 && column === own[i - 1]) continue;
      all.values[length] = sums[column];
      all.columns[length++] = column;
    }
    for (let at = offsets[row]; at < length; at++) sums[all.columns[at]] = 0;
    offsets[row + 1] = length;
  }
  return sparseCounts(offsets, all.columns.slice(0, length), all.values.slice(0, length));
}

/** The matrix of these entries, with its sums. */
export function sparseCounts(
  offsets: Uint32Array,
  columns: Uint32Array,
  values: Float32Array,
): SparseCounts {
  const itemCount = offsets.length - 1;
  const rowSums = new Float64Array(itemCount), columnSums = new Float64Array(itemCount);
  for (let row = 0; row < itemCount; row++) {
    for (let at = offsets[row]; at < offsets[row + 1]; at++) {
      rowSums[row] += values[at];
      columnSums[columns[at]] += values[at];
    }
  }
  return {
    offsets,
    columns,
    values,
    rowSums: Float32Array.from(rowSums),
    columnSums: Float32Array.from(columnSums),
  };
}

/** The count of a row and a column, 0 where there is none: a binary search in the row. */
export function countAt({ offsets, columns, values }: SparseCounts, row: number, column: number): number {
  let low = offsets[row], high = offsets[row + 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (columns[middle] < column) low = middle + 1;
    else high = middle;
  }
  return low < offsets[row + 1] && columns[low] === column ? values[low] : 0;
}

/** The matrix with its rows and columns in another order: item i of the result is item `order[i]` of `table`. */
export function reorderedTable(
  { offsets, columns, values }: SparseCounts,
  order: readonly number[],
): SparseCounts {
  const places = new Uint32Array(order.length);
  order.forEach((item, place) => places[item] = place);
  const moved = {
    offsets: new Uint32Array(offsets.length),
    columns: new Uint32Array(columns.length),
    values: new Float32Array(values.length),
  };
  let length = 0;
  order.forEach((item, row) => {
    const entries = Array.from({ length: offsets[item + 1] - offsets[item] }, (_, i) => offsets[item] + i)
      .sort((a, b) => places[columns[a]] - places[columns[b]]);
    for (const at of entries) {
      moved.columns[length] = places[columns[at]];
      moved.values[length++] = values[at];
    }
    moved.offsets[row + 1] = length;
  });
  return sparseCounts(moved.offsets, moved.columns, moved.values);
}
