import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { launcherOf } from "../../../base/mpi/launcher.ts";
import { installedLibraries, openLibrary } from "../../../base/mpi/library.ts";
import { joinWorld } from "../../../base/mpi/world.ts";

const of = (environment: Record<string, string>) => launcherOf((name) => environment[name]);

Deno.test("the launcher is known by what it leaves in the environment, its library comes first", () => {
  assert.equal(of({}), undefined);
  const openMpi = of({ OMPI_COMM_WORLD_SIZE: "4", PMIX_RANK: "0" })!;
  assert.deepEqual([openMpi.name, openMpi.size, openMpi.libraries[0]], [
    "Open MPI's mpirun",
    4,
    "libmpi.so.40",
  ]);
  const mpich = of({ PMI_SIZE: "2" })!;
  assert.deepEqual([mpich.name, mpich.size, mpich.libraries[0]], ["mpiexec or srun", 2, "libmpich.so.12"]);
  assert.equal(of({ PMIX_RANK: "3", SLURM_STEP_NUM_TASKS: "8" })!.size, 8);
  assert.deepEqual(of({ PMI_SIZE: "2", GENREC_MPI: "/opt/libmpi.so" })!.libraries, ["/opt/libmpi.so"]);
});

Deno.test("srun without MPI between its processes is refused, a batch script of Slurm stands alone", () => {
  assert.throws(() => of({ SLURM_PROCID: "0", SLURM_STEP_NUM_TASKS: "4" }), {
    message: /srun started 4 processes without MPI between them\. Use srun --mpi=pmix/,
  });
  assert.equal(of({ SLURM_PROCID: "0", SLURM_STEP_NUM_TASKS: "1" }), undefined);
});

Deno.test("a process that no launcher started loads no library, one without a library says what to install", async () => {
  assert.equal(await joinWorld(() => undefined), undefined);
  assert.throws(() => openLibrary(["libmpi-that-is-not-there.so"]), {
    name: "UserError",
    message: /Cannot load MPI: none of libmpi-that-is-not-there\.so can be used .* Install openmpi-bin/,
  });
});

Deno.test("installedLibraries() names each MPI of the machine once, and Open MPI and MPICH where they are", () => {
  const found = installedLibraries();
  assert.equal(new Set(found.map(({ version }) => version)).size, found.length);
  for (const { name, version } of found) assert.match(version, /\d/, name);
  const programs = ["mpirun.openmpi", "mpirun.mpich"].filter((name) => existsSync(`/usr/bin/${name}`));
  assert.ok(found.length >= programs.length, JSON.stringify(found));
});
