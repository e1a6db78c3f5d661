/** Number formats of GGUF files that are read, in the names of llama.cpp. */
export type GgufFormat = "F32" | "F16" | "BF16" | "Q8_0" | "Q4_0" | "Q4_1" | "Q4_K" | "Q6_K";

/** Numbers of a block, and its bytes. */
export const BLOCKS: Record<GgufFormat, { numbers: number; bytes: number }> = {
  F32: { numbers: 1, bytes: 4 },
  F16: { numbers: 1, bytes: 2 },
  BF16: { numbers: 1, bytes: 2 },
  Q8_0: { numbers: 32, bytes: 34 },
  Q4_0: { numbers: 32, bytes: 18 },
  Q4_1: { numbers: 32, bytes: 20 },
  Q4_K: { numbers: 256, bytes: 144 },
  Q6_K: { numbers: 256, bytes: 210 },
};

/** Writes the numbers of the block at byte `at` of `view` to `out` from `to` on. */
type Unpack = (view: DataView, at: number, out: Float32Array, to: number) => void;

/**
 * Layouts of ggml-common.h (llama.cpp). A block has one or two scales as float16; all is computed in single precision, as
 * the package `gguf` does.
 */
const UNPACK: Record<GgufFormat, Unpack> = {
  F32: (view, at, out, to) => out[to] = view.getFloat32(at, true),
  F16: (view, at, out, to) => out[to] = view.getFloat16(at, true),
  BF16: (view, at, out, to) => {
    bits[0] = view.getUint16(at, true) << 16;
    out[to] = float[0];
  },
  Q8_0(view, at, out, to) {
    const d = view.getFloat16(at, true);
    for (let i = 0; i < 32; i++) out[to + i] = d * view.getInt8(at + 2 + i);
  },
  Q4_0(view, at, out, to) {
    const d = view.getFloat16(at, true);
    for (let i = 0; i < 16; i++) {
      const pair = view.getUint8(at + 2 + i);
      out[to + i] = d * ((pair & 15) - 8);
      out[to + 16 + i] = d * ((pair >> 4) - 8);
    }
  },
  Q4_1(view, at, out, to) {
    const d = view.getFloat16(at, true), least = view.getFloat16(at + 2, true);
    for (let i = 0; i < 16; i++) {
      const pair = view.getUint8(at + 4 + i);
      out[to + i] = Math.fround(d * (pair & 15)) + least;
      out[to + 16 + i] = Math.fround(d * (pair >> 4)) + least;
    }
  },
  Q4_K(view, at, out, to) {
    const d = view.getFloat16(at, true), least = view.getFloat16(at + 2, true);
    const packed = (i: number) => view.getUint8(at + 4 + i);
    for (let part = 0; part < 8; part++) {
      // Six bits each of scale and least value: the first four parts in bytes of their own, the others in what is left.
      const i = part % 4;
      const [scale, low] = part < 4 ? [packed(i) & 63, packed(4 + i) & 63] : [
        (packed(8 + i) & 15) | ((packed(i) >> 2) & 48),
        (packed(8 + i) >> 4) | ((packed(4 + i) >> 2) & 48),
      ];
      const step = Math.fround(d * scale), offset = Math.fround(least * low);
      const bytes = at + 16 + 32 * (part >> 1), shift = 4 * (part & 1);
      for (let k = 0; k < 32; k++) {
        out[to + 32 * part + k] = Math.fround(step * ((view.getUint8(bytes + k) >> shift) & 15)) - offset;
      }
    }
  },
  Q6_K(view, at, out, to) {
    const d = view.getFloat16(at + 208, true);
    for (let half = 0; half < 2; half++) {
      for (let part = 0; part < 4; part++) {
        const low = at + 64 * half + 32 * (part & 1), high = at + 128 + 32 * half;
        for (let k = 0; k < 32; k++) {
          const value = ((view.getUint8(low + k) >> (4 * (part >> 1))) & 15) |
            (((view.getUint8(high + k) >> (2 * part)) & 3) << 4);
          const scale = Math.fround(d * view.getInt8(at + 192 + 8 * half + 2 * part + (k >> 4)));
          out[to + 128 * half + 32 * part + k] = scale * (value - 32);
        }
      }
    }
  },
};

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** Numbers of whole blocks in single precision. */
export function unpackBlocks(bytes: Uint8Array<ArrayBuffer>, format: GgufFormat): Float32Array<ArrayBuffer> {
  const { numbers, bytes: size } = BLOCKS[format];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length / size;
  const out = new Float32Array(count * numbers);
  const unpack = UNPACK[format];
  for (let block = 0; block < count; block++) unpack(view, block * size, out, block * numbers);
  return out;
}

/** Formats that numbers are written in. */
export type WrittenGgufFormat = "F32" | "F16" | "Q8_0";

/**
 * Numbers as blocks of a format. Q8_0: 32 integers in -127 ... 127, halves away from zero, and a scale, bit for bit those of
 * llama.cpp's reference.
 */
export function packBlocks(values: Float32Array, format: WrittenGgufFormat): Uint8Array<ArrayBuffer> {
  if (format === "F32") return new Uint8Array(values.slice().buffer);
  if (format === "F16") return new Uint8Array(Float16Array.from(values).buffer);
  const { numbers, bytes: size } = BLOCKS[format];
  const bytes = new Uint8Array(values.length / numbers * size);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block * numbers < values.length; block++) {
    const part = values.subarray(block * numbers, (block + 1) * numbers);
    const most = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const d = Math.fround(most / 127);
    const factor = d === 0 ? 0 : Math.fround(1 / d);
    view.setFloat16(block * size, d, true);
    part.forEach((value, i) => {
      const scaled = Math.fround(value * factor), whole = Math.floor(Math.abs(scaled) + 0.5);
      view.setInt8(block * size + 2 + i, scaled < 0 ? -whole : whole);
    });
  }
  return bytes;
}
