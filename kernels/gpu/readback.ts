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
  /** Whether the buffer was mapped by a read before. */
  readonly known: boolean;
}

/** A copy whose bytes the host can read. */
interface MappedRead extends PendingRead {
  readonly range: ArrayBuffer;
}

/**
 * Whether `mapAsync()` returns when the device is done, so that what it mapped can be read, and sleeps for ten milliseconds
 * before its promise resolves. Buffers that were never mapped end these versions of Deno with a panic then; others wait.
 */
const MAPS_AT_ONCE = /^2\.[3-9]\./.test(globalThis.Deno?.version.deno ?? "");

// Copies from textures want rows of a multiple of this many bytes.
const ROW_ALIGNMENT = 256;
// Larger ones are read once in a while, and would be the memory of a whole table for nothing.
const MOST_KEPT_BYTES = 2 ** 22;
// Of one size, so that small reads of any length find a buffer that was mapped before.
const LEAST_BYTES = 2 ** 14;

/** How the host waits for what it reads. In Deno nothing else runs until the device is done. */
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
      const { buffer, known } = this.#staging(bytes);
      encoder.copyBufferToBuffer(tensor.buffer, tensor.offset, buffer, 0, bytes);
      return { tensor, rows: count, buffer, bytes, bytesPerRow: 0, known };
    }
    const { cols, dtype, storage } = tensor;
    if (storage.layout === "buffer") {
      const bytesPerRow = rowBytes(cols, dtype);
      const bytes = count * bytesPerRow;
      const { buffer, known } = this.#staging(bytes);
      encoder.copyBufferToBuffer(storage.buffer, storage.offset + first * bytesPerRow, buffer, 0, bytes);
      return { tensor, rows: count, buffer, bytes, bytesPerRow, known };
    }
    const bytesPerRow = Math.ceil(rowBytes(cols, dtype) / ROW_ALIGNMENT) * ROW_ALIGNMENT;
    const bytes = count * bytesPerRow;
    const { buffer, known } = this.#staging(bytes);
    encoder.copyTextureToBuffer(
      { texture: storage.texture, origin: [0, first] },
      { buffer, bytesPerRow },
      [groupsOf(cols), count],
    );
    return { tensor, rows: count, buffer, bytes, bytesPerRow, known };
  }

  /** Waits for copies that are submitted; `onComputed` as in {@link ReadWait}. */
  async mapped(pending: readonly PendingRead[], onComputed?: () => void): Promise<MappedRead[]> {
    const waits = Promise.all(pending.map(({ buffer }) => buffer.mapAsync(GPUMapMode.READ)));
    onComputed?.();
    const early = pending.map(rangeNow);
    if (early.includes(undefined)) await waits;
    else {
      waits.catch(() => {});
      // Signals, errors of the device and other callers get their turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return pending.map((copy, i) => ({ ...copy, range: early[i] ?? rangeOf(copy) }));
  }

  /** Contents of a mapped copy, float16 widened and padding removed; its buffer serves the next read. */
  finish({ tensor, rows, buffer, range, bytesPerRow }: MappedRead): Float32Array {
    const copied = range.slice(0);
    buffer.unmap();
    if (buffer.size > MOST_KEPT_BYTES) buffer.destroy();
    else this.#free.get(buffer.size)!.push(buffer);
    if (tensor.kind === "flat") return new Float32Array(copied);
    const shape = { rows, cols: tensor.cols };
    return tensor.dtype === "f16"
      ? unpadRows(new Float32Array(new Float16Array(copied)), shape, bytesPerRow / 2)
      : unpadRows(new Float32Array(copied), shape, bytesPerRow / 4);
  }

  #staging(bytes: number): Pick<PendingRead, "buffer" | "known"> {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, LEAST_BYTES)));
    const free = this.#free.get(size);
    if (!free) this.#free.set(size, []);
    const reused = free?.pop();
    if (reused) return { buffer: reused, known: true };
    this.#counters.allocations++;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return { buffer: this.#gpu.createBuffer({ size, usage }), known: false };
  }
}

function rangeOf({ buffer, bytes }: PendingRead): ArrayBuffer {
  return buffer.getMappedRange(0, bytes);
}

/** The bytes of a copy where they are there before the wait for them is over. */
function rangeNow(copy: PendingRead): ArrayBuffer | undefined {
  if (!MAPS_AT_ONCE || !copy.known) return undefined;
  try {
    return rangeOf(copy);
  } catch {
    return undefined; // what failed, the wait says
  }
}
