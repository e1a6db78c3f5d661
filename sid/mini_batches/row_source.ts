/** Vectors of N items that are read as they are asked for, since no memory holds them all. */
export interface RowSource {
  /** Items, N. */
  readonly rows: number;
  /** Numbers an item, D. */
  readonly dim: number;
  /** Vectors of items `first` to `first + count`: (count, D). */
  read(first: number, count: number): Promise<Float32Array<ArrayBuffer>>;
}

/** Vectors of some items, ascending: (items, D). */
export async function readItems(source: RowSource, items: Uint32Array): Promise<Float32Array<ArrayBuffer>> {
  const { dim } = source;
  const data = new Float32Array(items.length * dim);
  for (let i = 0; i < items.length;) {
    let end = i + 1;
    while (end < items.length && items[end] === items[end - 1] + 1) end++;
    data.set(await source.read(items[i], end - i), i * dim);
    i = end;
  }
  return data;
}
