/** Bytes of a dictionary's number, by the two lowest bits of a frame's descriptor. */
const DICTIONARY_BYTES = [0, 1, 2, 4];
/** Bytes of the content's size, by the two highest bits. */
const SIZE_BYTES = [0, 2, 4, 8];

/** Bytes of one frame. */
export interface FramePiece {
  piece: Uint8Array;
  /** Whether the frame ends with them. */
  ends: boolean;
}

type Part = "magic" | "descriptor" | "skip" | "skip length" | "block";

/**
 * Follows the frames of a Zstandard file, of which there may be any number: a decoder ends with its frame, and takes a torn
 * file for a short one. Feed it all bytes, then ask {@link ZstdFrames.whole}. Source: RFC 8878, section 3.1.
 */
export class ZstdFrames {
  #part: Part = "magic";
  /** Header bytes that have come, of those that the part needs. */
  #header: number[] = [];
  /** Bytes to pass over, and the part after them. */
  #over = 0;
  #next: Part = "magic";
  #hasChecksum = false;
  #damaged = false;

  /** Takes the next bytes and yields them, cut at the ends of frames. */
  *push(bytes: Uint8Array): Generator<FramePiece> {
    let from = 0;
    for (let at = 0; at < bytes.length && !this.#damaged;) {
      if (this.#over > 0) {
        const passed = Math.min(this.#over, bytes.length - at);
        at += passed;
        this.#over -= passed;
        if (this.#over === 0) this.#part = this.#next;
      } else {
        this.#header.push(bytes[at++]);
        this.#step();
      }
      if (!this.whole) continue;
      yield { piece: bytes.subarray(from, at), ends: true };
      from = at;
    }
    if (from < bytes.length) yield { piece: bytes.subarray(from), ends: false };
  }

  /** Whether the bytes so far end where a frame ends. */
  get whole(): boolean {
    return !this.#damaged && this.#over === 0 && this.#part === "magic" && this.#header.length === 0;
  }

  #step(): void {
    const header = this.#header;
    const number = () => header.reduceRight((value, byte) => value * 256 + byte, 0);
    if (this.#part === "magic" && header.length === 4) {
      const magic = number();
      if (magic === 0xfd2fb528) this.#enter("descriptor");
      else if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) this.#enter("skip length");
      else this.#damaged = true;
    } else if (this.#part === "skip length" && header.length === 4) {
      this.#pass(number(), "magic");
    } else if (this.#part === "descriptor") {
      const [flags] = header;
      const isSingle = (flags & 32) !== 0;
      const sizeBytes = flags >> 6 === 0 ? Number(isSingle) : SIZE_BYTES[flags >> 6];
      this.#hasChecksum = (flags & 4) !== 0;
      this.#pass(Number(!isSingle) + DICTIONARY_BYTES[flags & 3] + sizeBytes, "block");
    } else if (this.#part === "block" && header.length === 3) {
      const value = number();
      const kind = (value >> 1) & 3;
      const isLast = (value & 1) === 1;
      // A block of one repeated byte holds it once.
      const size = kind === 1 ? 1 : value >> 3;
      if (kind === 3) this.#damaged = true;
      else this.#pass(size + (isLast && this.#hasChecksum ? 4 : 0), isLast ? "magic" : "block");
    }
  }

  #enter(part: Part): void {
    this.#part = part;
    this.#header = [];
  }

  #pass(bytes: number, next: Part): void {
    this.#enter(bytes === 0 ? next : "skip");
    this.#over = bytes;
    this.#next = next;
  }
}
