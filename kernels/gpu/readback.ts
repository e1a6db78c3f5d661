import { groupsOf, rowBytes, type Tensor, unpadRows } from "./tensor.ts";

/** A copy under way from a tensor to memory that the host can map. */
export interface PendingRead {
  readonly tensor: Tensor;
  /** Rows of a matrix that are copied. */
  readonly rows: number;
  /** Mappable once the copy is submitted. */
  readonly buffer: GPUBuffer;
  /** Bytes of the copy. */
  readonly bytes: number;
  /** Distance of rows in the copy of a matrix. */
  readonly bytesPerRow: number;
}

// Copies from textures want rows of a multiple of this many bytes.
const ROW_ALIGNMENT = 256;
// Larger ones are read once in a while, and would be the memory of a whole table for nothing.
const MOST_KEPT_BYTES = 2 ** 22;

/**
 * How the host waits for what it reads. In Deno nothing else runs until the device is done, and the values are there ten
 * milliseconds after that.
 */
export interface ReadWait {
  /** The work is with the device when this is called, and the wait begins when it resolves. Default: at once. */
  begin?(): Promise<void>;
  /** Called when the device is done, before the values are there: another caller may use it meanwhile. */
  onComputed?(): void;
}

/** Staging buffers between the device and the host, the smaller ones kept by size for the next read. */
export class Readback {
  #gpu: GPUDevice;
  #counters: { allocations: number };
  #free = new Map<number, GPUBuffer[]>();

  /** `counters` is added to for each buffer that had to be made. */
  constructor(gpu: GPUDevice, counters: { allocations: number }) {
    this.#gpu = gpu;
    this.#counters = counters;
  }

  /** Records the copy of `tensor`, of a matrix rows `first` to `first + count - 1`. */
  copy(
    encoder: GPUCommandEncoder,
    tensor: Tensor,
    first = 0,
    count = tensor.kind === "matrix" ? tensor.rows : 1,
  ): PendingRead {
    if (tensor.kind === "flat") {
      const bytes = tensor.length * 4;
      const buffer = this.#staging(bytes);
      encoder.copyBufferToBuffer(tensor.buffer, tensor.offset, buffer, 0, bytes);
      return { tensor, rows: count, buffer, bytes, bytesPerRow: 0 };
    }
    const { cols, dtype, storage } = tensor;
    if (storage.layout === "buffer") {
      const bytesPerRow = rowBytes(cols, dtype);
      const bytes = count * bytesPerRow;
      const buffer = this.#staging(bytes);
      encoder.copyBufferToBuffer(storage.buffer, storage.offset + first * bytesPerRow, buffer, 0, bytes);
      return { tensor, rows: count, buffer, bytes, bytesPerRow };
    }
    const bytesPerRow = Math.ceil(rowBytes(cols, dtype) / ROW_ALIGNMENT) * ROW_ALIGNMENT;
    const bytes = count * bytesPerRow;
    const buffer = this.#staging(bytes);
    encoder.copyTextureToBuffer(
      { texture: storage.texture, origin: [0, first] },
      { buffer, bytesPerRow },
      [groupsOf(cols), count],
    );
    return { tensor, rows: count, buffer, bytes, bytesPerRow };
  }

  /** Contents of a mapped copy, float16 widened and padding removed; its buffer serves the next read. */
  finish({ tensor, rows, buffer, bytes, bytesPerRow }: PendingRead): Float32Array {
    const copied = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    if (buffer.size > MOST_KEPT_BYTES) buffer.destroy();
    else this.#free.get(buffer.size)!.push(buffer);
    if (tensor.kind === "flat") return new Float32Array(copied);
    const shape = { rows, cols: tensor.cols };
    return tensor.dtype === "f16"
      ? unpadRows(new Float32Array(new Float16Array(copied)), shape, bytesPerRow / 2)
      : unpadRows(new Float32Array(copied), shape, bytesPerRow / 4);
  }

  #staging(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
    const free = this.#free.get(size);
    if (!free) this.#free.set(size, []);
    const reused = free?.pop();
    if (reused) return reused;
    this.#counters.allocations++;
    return this.#gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }
}
