import { noRoom } from "./device_error.ts";

/** Bytes now held on an adapter. */
export class DeviceMemory {
  /** Bytes in buffers. */
  buffers = 0;
  /** Bytes in textures. */
  textures = 0;
  /** Most bytes in buffers and textures together so far. */
  peak = 0;

  /** Throws `DeviceError` where `bytes` more are more than `limit`; `what` is what they are for. */
  expectRoom(bytes: number, what: string, limit: number): void {
    const held = this.buffers + this.textures;
    if (held + bytes > limit) throw noRoom(what, bytes, held, limit);
  }

  /** Counts what was allocated. */
  add(kind: "buffers" | "textures", bytes: number): void {
    this[kind] += bytes;
    this.peak = Math.max(this.peak, this.buffers + this.textures);
  }
}
