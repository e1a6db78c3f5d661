import { noRoom } from "./device_error.ts";

/** Bytes now held on an adapter. */
export class DeviceMemory {
  /** Bytes in buffers. */
  buffers = 0;
  /** Bytes in textures. */
  textures = 0;
  /** Most bytes in buffers and textures together so far. */
  peak = 0;
  /** Bytes beyond which {@link isBeyond}. Default: none are. */
  keptLimit: number = Infinity;
  readonly #together: DeviceMemory | undefined;

  /** `together` is that of this device and its siblings, whose peak they share. */
  constructor(together?: DeviceMemory) {
    this.#together = together;
  }

  /** Bytes of a device and its siblings; undefined of those themselves. */
  get together(): DeviceMemory | undefined {
    return this.#together;
  }

  /** Bytes in buffers and textures. */
  get held(): number {
    return this.buffers + this.textures;
  }

  /** Whether work of varying shapes, such as searches, has left more than was counted: time for `Device.trim()`. */
  get isBeyond(): boolean {
    return this.held > this.keptLimit;
  }

  /** Bytes that were given back: the allocator of a CPU adapter keeps them for what comes. */
  get reusable(): number {
    return this.peak - this.held;
  }

  /** Throws `DeviceError` where `bytes` more are more than `limit`; `what` is what they are for. */
  expectRoom(bytes: number, what: string, limit: number): void {
    if (this.held + bytes > limit) throw noRoom(what, bytes, this.held, limit);
  }

  /** Counts what was allocated, or what was given back, below 0. */
  add(kind: "buffers" | "textures", bytes: number): void {
    this[kind] += bytes;
    this.peak = Math.max(this.peak, this.held);
    this.#together?.add(kind, bytes);
  }
}
