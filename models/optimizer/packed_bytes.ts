/** Words (u32, as read from a device) as the numbers of eight bits that each holds four of, the lowest first. */
export function unpackedBytes({ buffer, byteOffset, byteLength }: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(new Uint8Array(buffer, byteOffset, byteLength));
}

/** The reverse of {@link unpackedBytes}: four numbers a word. */
export function packedBytes(numbers: Float32Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(Uint8Array.from(numbers).buffer);
}
