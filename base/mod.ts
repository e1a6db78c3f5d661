/**
 * Ground: errors that tell users what to do, number files, and how settings and files are described.
 * @module
 */

export { type NpyMatrix, type NumpyArray, readMatrix, readNpy, writeNpy } from "./npy.ts";
export type { SettingsSchema } from "./settings.ts";
export { UserError } from "./user_error.ts";
export { ALONE, type RankPlace, type World } from "./parallel/world.ts";
