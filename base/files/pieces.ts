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

const TEXT_PIECE = 2 ** 20;

/** A text in pieces as a file; `pieces` gives the same ones each time, and is gone through twice. */
export function textFile(pieces: () => Iterable<string>): PieceFile {
  const utf8 = new TextEncoder();
  function* encoded() {
    let held = "";
    for (const piece of pieces()) {
      held += piece;
      if (held.length < TEXT_PIECE) continue;
      yield utf8.encode(held);
      held = "";
    }
    yield utf8.encode(held);
  }
  let size = 0;
  for (const { length } of encoded()) size += length;
  return {
    size,
    pieces: (async function* () {
      let at = 0;
      for (const bytes of encoded()) {
        yield await Promise.resolve({ at, bytes });
        at += bytes.length;
      }
    })(),
  };
}
