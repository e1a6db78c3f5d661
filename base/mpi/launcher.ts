import { UserError } from "../user_error.ts";

/** The program that started this process as one of several, as far as the environment tells. */
export interface Launcher {
  /** What to call it. */
  name: string;
  /** Names of the MPI library that goes with it, the likeliest first. */
  libraries: readonly string[];
  /** Processes that it started; undefined where it does not tell. */
  size: number | undefined;
  /** Number of this one among them. */
  rank: number;
}

const OPEN_MPI = ["libmpi.so.40", "libmpi.so.80"];
const MPICH = ["libmpich.so.12", "libmpi.so.12"];
/** Whatever is installed under the common name, and the one binary interface of MPI 5. */
const ANY = ["libmpi.so", "libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi_abi.so"];

/** Names of all libraries that are looked for. */
export const KNOWN_LIBRARIES: readonly string[] = [...OPEN_MPI, ...MPICH, ...ANY];

/**
 * The launcher of this process; undefined where it stands alone. `GENREC_MPI` names another library.
 * @throws {UserError} where Slurm started several processes that cannot know of each other.
 */
export function launcherOf(environment: (name: string) => string | undefined): Launcher | undefined {
  const numberOf = (name: string) => {
    const text = environment(name);
    return text === undefined || text === "" ? undefined : Number(text);
  };
  const own = environment("GENREC_MPI");
  const rank = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"].map(numberOf).find((rank) =>
    rank !== undefined
  );
  const of = (name: string, libraries: readonly string[], size: number | undefined): Launcher => ({
    name,
    libraries: own ? [own] : [...libraries, ...ANY],
    size,
    rank: rank ?? 0,
  });
  if (numberOf("OMPI_COMM_WORLD_SIZE") !== undefined) {
    return of("Open MPI's mpirun", OPEN_MPI, numberOf("OMPI_COMM_WORLD_SIZE"));
  }
  if (numberOf("PMI_SIZE") !== undefined) return of("mpiexec or srun", MPICH, numberOf("PMI_SIZE"));
  const tasks = numberOf("SLURM_STEP_NUM_TASKS");
  if (numberOf("PMIX_RANK") !== undefined) return of("srun", [...OPEN_MPI, ...MPICH], tasks);
  if (numberOf("SLURM_PROCID") !== undefined && (tasks ?? 1) > 1) {
    throw new UserError(
      `Cannot work together: srun started ${tasks} processes without MPI between them. Use srun --mpi=pmix, or ` +
        "--mpi=pmi2 (`srun --mpi=list` says what there is), or start one process",
    );
  }
  return undefined;
}
