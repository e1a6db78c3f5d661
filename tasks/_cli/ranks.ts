import { ALONE, type World } from "../../base/parallel/world.ts";
import { launcherOf } from "../../base/mpi/launcher.ts";
import { joinWorld } from "../../base/mpi/world.ts";
import { UserError } from "../../base/user_error.ts";

/** Milliseconds that a rank gives the one before it to fail for the same reason, and to say so. */
const TURN = 200;
const FIRST_TURN = 1500;
const SAYING = 300;

const pause = (milliseconds: number) => new Promise((resume) => setTimeout(resume, milliseconds));

/**
 * The world of a task: that of the processes which mpirun or srun started, or this one alone.
 * @throws {UserError} where several were started for a task that is for one, which would all do and write the same.
 */
export async function worldOf(task: string, worksTogether: boolean): Promise<World> {
  const environment = (name: string) => Deno.env.get(name);
  if (worksTogether) return await joinWorld(environment) ?? ALONE;
  const { size = 1, rank, name } = launcherOf(environment) ?? { rank: 0, name: "" };
  if (size === 1) return ALONE;
  if (rank > 0) Deno.exit(1); // the first one says it
  throw new UserError(
    `Cannot run ${task} in ${size} processes, which ${name} started: it works in one. Start it without ${name}`,
  );
}

/** Which process is which rank: where one is killed, its launcher may name the process alone. */
export function ranksLine({ size, places }: World): string {
  const ranks = places.map(({ host, pid }, rank) => `rank ${rank} (process ${pid} on ${host})`);
  return `${size} processes work together: ${ranks.join(", ")}`;
}

/** Ends all ranks after an error of this one, which `report` tells: once, where the first rank has the same. */
export async function endRanks(world: World, report: () => number): Promise<never> {
  await turnOf(world.rank);
  if (world.rank > 0) console.error(`rank ${world.rank} on ${world.places[world.rank].host}:`);
  const code = report();
  // A launcher that ends its processes may lose what they have just said.
  await pause(SAYING);
  world.abort(code);
}

/** The first rank has it at once; where it ends with an error, the launcher ends the others before theirs. */
async function turnOf(rank: number): Promise<void> {
  if (rank > 0) await pause(FIRST_TURN + TURN * Math.min(rank, 20));
}
