import type { PieceFile } from "../../base/files/pieces.ts";

/** A file of a model directory, whole or in pieces. */
export interface SavedFile {
  /** Name in the directory. */
  name: string;
  /** Contents. */
  bytes: Uint8Array<ArrayBuffer> | PieceFile;
}
