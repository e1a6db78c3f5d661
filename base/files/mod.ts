/**
 * Files of the disk, where Deno is: what reads them for everything that runs in browsers too.
 * @module
 */

export type { FilePiece, PieceFile } from "./pieces.ts";
export { diskFiles, type ReadFiles } from "./disk.ts";
