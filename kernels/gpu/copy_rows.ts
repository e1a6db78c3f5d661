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
