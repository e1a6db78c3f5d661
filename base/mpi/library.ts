import { UserError } from "../user_error.ts";
import { KNOWN_LIBRARIES } from "./launcher.ts";

// Handles and the place of "no status" are pointers in Open MPI and in the standard's binary interface, and ints or small
// numbers in MPICH. In a 64-bit register they are the same to the one who calls.
const HANDLE = "u64";

const SYMBOLS = {
  MPI_Init: { parameters: ["u64", "u64"], result: "i32" },
  MPI_Comm_rank: { parameters: [HANDLE, "buffer"], result: "i32" },
  MPI_Comm_size: { parameters: [HANDLE, "buffer"], result: "i32" },
  MPI_Comm_set_errhandler: { parameters: [HANDLE, HANDLE], result: "i32" },
  MPI_Get_processor_name: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Get_library_version: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Error_string: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  MPI_Ibarrier: { parameters: [HANDLE, "buffer"], result: "i32" },
  MPI_Iallgather: {
    parameters: ["buffer", "i32", HANDLE, "buffer", "i32", HANDLE, HANDLE, "buffer"],
    result: "i32",
  },
  MPI_Ialltoall: {
    parameters: ["buffer", "i32", HANDLE, "buffer", "i32", HANDLE, HANDLE, "buffer"],
    result: "i32",
  },
  MPI_Isend: { parameters: ["buffer", "i32", HANDLE, "i32", "i32", HANDLE, "buffer"], result: "i32" },
  MPI_Iprobe: { parameters: ["i32", "i32", HANDLE, "buffer", "u64"], result: "i32" },
  MPI_Recv: { parameters: ["buffer", "i32", HANDLE, "i32", "i32", HANDLE, "u64"], result: "i32" },
  MPI_Test: { parameters: ["buffer", "buffer", "u64"], result: "i32" },
  MPI_Reduce_local: { parameters: ["buffer", "buffer", "i32", HANDLE, HANDLE], result: "i32" },
  MPI_Abort: { parameters: [HANDLE, "i32"], result: "i32" },
  MPI_Finalize: { parameters: [], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Addresses that are handles in Open MPI. */
const OPEN_MPI = {
  ompi_mpi_comm_world: { type: "pointer", optional: true },
  ompi_mpi_byte: { type: "pointer", optional: true },
  ompi_mpi_float: { type: "pointer", optional: true },
  ompi_mpi_op_sum: { type: "pointer", optional: true },
  ompi_mpi_errors_return: { type: "pointer", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** What of MPI differs from one library to the next. */
interface Handles {
  world: bigint;
  byte: bigint;
  float: bigint;
  sum: bigint;
  errorsReturn: bigint;
  ignoredStatus: bigint;
}

const MPICH: Handles = {
  world: 0x44000000n,
  byte: 0x4c00010dn,
  float: 0x4c00040an,
  sum: 0x58000003n,
  errorsReturn: 0x54000001n,
  ignoredStatus: 1n,
};

/** Of MPI 5.0, chapter 20. */
const STANDARD: Handles = {
  world: 0x101n,
  byte: 0x247n,
  float: 0x210n,
  sum: 0x21n,
  errorsReturn: 0x142n,
  ignoredStatus: 0n,
};

/** An MPI library that is loaded, and its handles. */
export interface MpiLibrary {
  /** Name that it was found by. */
  name: string;
  /** Which it is and of what version, in its own words. */
  version: string;
  /** Its functions, which return 0 or the number of an error. */
  call: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** Its handles. */
  handles: Handles;
}

/**
 * Loads the first MPI library of `names` that this machine has.
 * @throws {UserError} where it has none, or one that lacks what is called here.
 */
export function openLibrary(names: readonly string[]): MpiLibrary {
  const failures: string[] = [];
  for (const name of names) {
    try {
      const { symbols: call } = Deno.dlopen(name, SYMBOLS);
      const version = stringOf((bytes, length) => call.MPI_Get_library_version(bytes, length));
      return { name, version, call, handles: handlesOf(name, version) };
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
    }
  }
  throw new UserError(
    `Cannot load MPI: none of ${names.join(", ")} can be used (${
      failures[0]
    }). Install openmpi-bin libopenmpi-dev ` +
      "or mpich, whichever started this process, or name its library in GENREC_MPI",
  );
}

/** Versions of the MPI libraries that can be loaded, in their own words, by the names that they were found by. */
export function installedLibraries(): { name: string; version: string }[] {
  const found: { name: string; version: string }[] = [];
  for (const name of KNOWN_LIBRARIES) {
    try {
      const { version } = openLibrary([name]);
      const line = version.split("\n")[0].split(", ")[0].replace(/\s+/g, " ");
      if (!found.some(({ version }) => version === line)) found.push({ name, version: line });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  return found;
}

/** Text that an MPI function writes with its length. */
export function stringOf(
  write: (bytes: Uint8Array<ArrayBuffer>, length: Int32Array<ArrayBuffer>) => number,
): string {
  // The longest that any version of the standard allows.
  const bytes = new Uint8Array(8192);
  const length = new Int32Array(1);
  write(bytes, length);
  return new TextDecoder().decode(bytes.subarray(0, length[0])).replace(/\0.*/s, "").trim();
}

function handlesOf(name: string, version: string): Handles {
  if (name.includes("libmpi_abi")) return STANDARD;
  const { symbols } = Deno.dlopen(name, OPEN_MPI);
  const {
    ompi_mpi_comm_world: world,
    ompi_mpi_byte: byte,
    ompi_mpi_float: float,
    ompi_mpi_op_sum: sum,
    ompi_mpi_errors_return: errorsReturn,
  } = symbols;
  if (world && byte && float && sum && errorsReturn) {
    const at = Deno.UnsafePointer.value;
    return {
      world: at(world),
      byte: at(byte),
      float: at(float),
      sum: at(sum),
      errorsReturn: at(errorsReturn),
      ignoredStatus: 0n,
    };
  }
  if (/MPICH|Intel\(R\) MPI|MVAPICH|CRAY/i.test(version)) return MPICH;
  throw new Error(
    `it is ${version.split("\n")[0]}, expected Open MPI, MPICH or one with the interface of MPI 5`,
  );
}
