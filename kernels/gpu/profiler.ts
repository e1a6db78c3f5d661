/** Milliseconds and number of dispatches of one kernel entry. */
export interface ProfileRow {
  /** Entry point of the kernel. */
  entry: string;
  /** Number of dispatches. */
  count: number;
  /** Time on the adapter of all these dispatches together. */
  milliseconds: number;
}

const MAX_DISPATCHES = 2048;

/** Timestamps around dispatches; every dispatch gets a compute pass of its own. */
export class Profiler {
  #gpu: GPUDevice;
  #set: GPUQuerySet;
  #resolved: GPUBuffer | undefined;
  #entries: string[] = [];

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    this.#set = gpu.createQuerySet({ type: "timestamp", count: 2 * MAX_DISPATCHES });
  }

  /** Starts the pass of the next dispatch. */
  begin(encoder: GPUCommandEncoder, entry: string): GPUComputePassEncoder {
    const index = 2 * this.#entries.length;
    if (this.#entries.length === MAX_DISPATCHES) {
      throw new RangeError(
        `profile() of more than ${MAX_DISPATCHES} dispatches: profile a shorter piece of work`,
      );
    }
    this.#entries.push(entry);
    const timestampWrites = {
      querySet: this.#set,
      beginningOfPassWriteIndex: index,
      endOfPassWriteIndex: index + 1,
    };
    return encoder.beginComputePass({ timestampWrites });
  }

  /** Bytes that `resolve` writes. */
  get bytes(): number {
    return 16 * this.#entries.length;
  }

  /** Copies the timestamps into `buffer`. */
  resolve(encoder: GPUCommandEncoder, buffer: GPUBuffer): void {
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#resolved = this.#gpu.createBuffer({ size: Math.max(16, this.bytes), usage });
    encoder.resolveQuerySet(this.#set, 0, 2 * this.#entries.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, buffer, 0, this.bytes);
  }

  /** Sums by kernel entry, slowest first, from the timestamps in nanoseconds. */
  rows(times: BigUint64Array): ProfileRow[] {
    this.#set.destroy();
    this.#resolved?.destroy();
    const rows = new Map<string, ProfileRow>();
    this.#entries.forEach((entry, i) => {
      const row = rows.get(entry) ?? { entry, count: 0, milliseconds: 0 };
      row.count++;
      row.milliseconds += Number(times[2 * i + 1] - times[2 * i]) / 1e6;
      rows.set(entry, row);
    });
    return [...rows.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }
}
