/** Bytes of a file from a place on. */
export interface FilePiece {
  /** First byte in the file. */
  at: number;
  /** Contents. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** A file that no memory need hold whole: pieces that cover it, each byte once, in any order. */
export interface PieceFile {
  /** Bytes of the whole file. */
  size: number;
  /** To be gone through once. */
  pieces: AsyncIterable<FilePiece>;
}

/** The whole of a file. */
export async function joinPieces({ size, pieces }: PieceFile): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(size);
  for await (const { at, bytes } of pieces) whole.set(bytes, at);
  return whole;
}
