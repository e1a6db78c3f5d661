/**
 * Processes that mpirun, mpiexec or srun started, where Deno and an MPI library are.
 * @module
 */

export { joinWorld } from "./world.ts";
export type { RankPlace, World } from "../parallel/world.ts";
