import { fileURLToPath } from "node:url";

/** An MPI of this machine. */
export interface InstalledMpi {
  name: string;
  /** Its command and first arguments. */
  command: string[];
  /** A library of the other one, where that is installed too. */
  otherLibrary: string;
}

const KNOWN: InstalledMpi[] = [
  {
    name: "Open MPI",
    command: ["mpirun.openmpi", "--oversubscribe", "--bind-to", "none"],
    otherLibrary: "libmpich.so.12",
  },
  { name: "MPICH", command: ["mpirun.mpich"], otherLibrary: "libmpi.so.40" },
];

const folders = (Deno.env.get("PATH") ?? "").split(":");
const isThere = (path: string) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
};
const isInstalled = ({ command: [program] }: InstalledMpi) =>
  folders.some((folder) => isThere(`${folder}/${program}`));

/** A test of each MPI; one that is not installed is skipped and says so. */
export function testMpi(name: string, run: (mpi: InstalledMpi) => Promise<void>): void {
  for (const mpi of KNOWN) {
    const ignore = !isInstalled(mpi);
    const reason = ignore ? `: skipped, there is no ${mpi.command[0]}` : "";
    Deno.test({ name: `${mpi.name}: ${name}${reason}`, ignore, fn: () => run(mpi) });
  }
}

/** A test of one MPI, whichever is installed: of what another test has tried on each. */
export function testAnyMpi(name: string, run: (mpi: InstalledMpi) => Promise<void>): void {
  const mpi = KNOWN.find(isInstalled);
  const reason = mpi ? "" : `: skipped, there is no ${KNOWN.map(({ command }) => command[0]).join(" or ")}`;
  Deno.test({ name: `${mpi?.name ?? "MPI"}: ${name}${reason}`, ignore: !mpi, fn: () => run(mpi!) });
}

/** What ranks ended with. */
export interface RanksEnd {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command of `ranks` processes of `script`, a path from the repository's folder. */
export function ranksCommand(
  { command: [program, ...first] }: InstalledMpi,
  ranks: number,
  script: string,
  args: readonly string[],
  { env = {}, cwd }: { env?: Record<string, string>; cwd?: string } = {},
): Deno.Command {
  const path = fileURLToPath(new URL(`../../../${script}`, import.meta.url));
  return new Deno.Command(program, {
    args: [...first, "-n", String(ranks), Deno.execPath(), "run", "-A", "--no-check", path, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1", NO_COLOR: "1", ...env },
  });
}

/** Runs it to its end. */
export async function runRanks(...command: Parameters<typeof ranksCommand>): Promise<RanksEnd> {
  const { code, stdout, stderr } = await ranksCommand(...command).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
