/**
 * Files of the disk, where Deno is: what reads them for everything that runs in browsers too.
 * @module
 */

export { diskFiles, type ReadFiles } from "./disk.ts";
