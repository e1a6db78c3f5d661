import { groupsOf, type Matrix, rowBytes } from "./tensor.ts";

/** Records the copy of all rows of `from` into `to`, of the same width and dtype, from row `row` on. */
export function copyRows(encoder: GPUCommandEncoder, from: Matrix, to: Matrix, row: number): void {
  if (from.cols !== to.cols || from.dtype !== to.dtype || row + from.rows > to.rows) {
    throw new RangeError(
      `copyRows() of (${from.rows}, ${from.cols}) ${from.dtype} to row ${row} of (${to.rows}, ${to.cols}) ${to.dtype}: ` +
        "expected rows of the same kind that fit",
    );
  }
  const { storage } = from, target = to.storage;
  if (storage.layout === "texture" && target.layout === "texture") {
    const size = [groupsOf(from.cols), from.rows];
    encoder.copyTextureToTexture(
      { texture: storage.texture },
      { texture: target.texture, origin: [0, row] },
      size,
    );
  } else if (storage.layout === "buffer" && target.layout === "buffer") {
    const bytes = rowBytes(from.cols, from.dtype);
    const start = target.offset + row * bytes;
    encoder.copyBufferToBuffer(storage.buffer, storage.offset, target.buffer, start, from.rows * bytes);
  }
}

/**
 * Records the copy of columns `first` to `first + count - 1`, multiples of 4, of all rows of `from` to the same place in
 * `to`, of the same shape and in textures as well: buffers have no copy of a part of each row.
 */
export function copyColumns(
  encoder: GPUCommandEncoder,
  from: Matrix,
  to: Matrix,
  first: number,
  count: number,
): void {
  const { storage } = from, target = to.storage;
  if (storage.layout !== "texture" || target.layout !== "texture") {
    throw new RangeError("copyColumns() of a matrix in a buffer: expected textures");
  }
  const isInside = first % 4 === 0 && count % 4 === 0 && first + count <= from.cols;
  if (!isInside || from.rows !== to.rows || from.cols !== to.cols) {
    throw new RangeError(
      `copyColumns() of ${count} columns from ${first} on of (${from.rows}, ${from.cols}) to (${to.rows}, ${to.cols}): ` +
        "expected multiples of 4 inside matrices of one shape",
    );
  }
  const origin = [first / 4, 0];
  encoder.copyTextureToTexture(
    { texture: storage.texture, origin },
    { texture: target.texture, origin },
    [count / 4, from.rows],
  );
}
